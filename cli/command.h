// What a command is: a row of the table from which parser, help, manual and completion follow.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/random.h"

namespace qcbak::cli {

class Output;
struct Program;

// docs: README "Exit codes". Errors that end a command have theirs in the table of base/error.h.
enum class ExitCode : int { done = 0, failed = 1, usage = 2, incomplete = 3, damaged = 4, refused = 5, destroy = 6 };

struct Option {
  enum class Times { once, many };
  std::string_view name;        // "keep-last", typed as --keep-last
  std::string_view value = {};  // what help calls its value; empty: a switch
  std::string_view help = {};
  Times times = Times::once;  // once: the last one given counts
  char letter = 0;            // typed as -q
};

struct Operands {
  static constexpr std::size_t kAny = 1U << 20;
  std::string_view shown = {};  // "PATH..."
  std::size_t least = 0;
  std::size_t most = 0;
};

struct Example {
  std::string_view command;
  std::string_view what;
};

// What was typed. Asking for an option that the command does not declare is a bug.
class Arguments {
 public:
  void declare(std::string_view option) { values_.try_emplace(std::string(option)); }
  void set(std::string_view option, std::vector<std::string> values);
  void set_operands(std::vector<std::string> operands) { operands_ = std::move(operands); }

  bool has(std::string_view option) const { return !values(option).empty(); }
  const std::vector<std::string>& values(std::string_view option) const;
  std::optional<std::string> value(std::string_view option) const;  // the last one
  std::string text(std::string_view option) const { return value(option).value_or(""); }
  // Error(usage) unless it is a number between the two.
  std::uint64_t number(std::string_view option, std::uint64_t unless_given, std::uint64_t least,
                       std::uint64_t most) const;
  std::optional<Time> time(std::string_view option) const;  // Error(usage) unless it is one
  const std::vector<std::string>& operands() const { return operands_; }

 private:
  std::map<std::string, std::vector<std::string>, std::less<>> values_;
  std::vector<std::string> operands_;
};

// All that a command may depend on.
struct Invocation {
  const Program& program;
  const Arguments& arguments;
  Output& output;
  const Clock& clock;
  Random& random;
  std::stop_token stop;
};

struct Command {
  enum class Common { repository, output_only };
  std::string_view name;  // "backup", "key list"
  std::string_view summary;
  std::string_view description;
  Operands operands = {};
  std::vector<Option> options = {};
  std::vector<std::string_view> later = {};  // options of the contract that this version does not have
  std::vector<Example> examples = {};
  ExitCode (*run)(const Invocation&) = nullptr;
  Common common = Common::repository;
};

struct Program {
  std::string_view name;
  std::string_view summary;
  std::string_view description;
  std::vector<Command> commands;
  std::vector<std::string_view> later = {};  // commands of the contract that this version does not have
  std::vector<Example> examples = {};
  bool keeps_no_cache = false;
};

// Options of every command, and of those that use a repository.
const std::vector<Option>& output_options();
const std::vector<Option>& repository_options();
inline std::vector<Option> common_options(const Command& command) {
  std::vector<Option> options;
  if (command.common == Command::Common::repository) options = repository_options();
  options.insert(options.end(), output_options().begin(), output_options().end());
  return options;
}

// The commands, one a file of the same name.
Command backup_command();
Command cat_command();
Command diff_command();
Command export_command();
Command find_command();
Command forget_command();
Command init_command();
Command key_add_command();
Command key_credential_command();
Command config_check_command();
Command config_show_command();
Command status_command();
Command audit_export_command();
Command audit_show_command();
Command audit_verify_command();
Command plan_show_command();
Command plan_submit_command();
Command plan_approve_command();
Command plan_reject_command();
Command user_list_command();
Command user_add_command();
Command user_enrol_command();
Command user_lock_command();
Command user_unlock_command();
Command user_password_command();
Command user_enrol_otp_command();
Command user_review_command();
Command job_list_command();
Command job_run_command();
Command job_show_command();
Command job_history_command();
Command job_cancel_command();
Command key_export_command();
Command key_list_command();
Command login_command();
Command logout_command();
Command key_passwd_command();
Command key_remove_command();
Command ls_command();
Command prune_command();
Command repair_command();
Command restore_command();
Command snapshots_command();
Command stats_command();
Command tag_command();
Command verify_command();
Command verify_evidence_command();
Command wipe_list_command();
Command wipe_plans_command();
Command wipe_inspect_command();
Command wipe_request_command();
Command wipe_approve_command();
Command wipe_run_command();
Command wipe_resume_command();
Command wipe_validate_command();
Command wipe_certificate_command();
Command wipe_confirm_command();
Command wipe_destroyed_command();
Command wipe_media_command();
Command wipe_status_command();
Command wipe_reject_command();
Command wipe_export_command();
Command wipe_import_command();

}  // namespace qcbak::cli
