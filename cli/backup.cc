// qcbak backup
#include "backup/backup.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "backup/file_source.h"
#include "backup/image_source.h"
#include "backup/source/capture.h"
#include "backup/stream_source.h"
#include "cli/messages.h"
#include "cli/output.h"
#include "cli/progress_display.h"
#include "cli/session.h"
#include "cli/snapshot_choice.h"
#include "cli/text.h"

namespace qcbak::cli {
namespace {

// Patterns speak of files; a relative one with '/' starts in the working directory.
source::Patterns excludes(const Arguments& arguments) {
  source::Patterns patterns(source::working_directory());
  for (const std::string& pattern : arguments.values("exclude")) patterns.add(pattern);
  for (const std::string& file : arguments.values("exclude-from")) patterns.add_file(file);
  return patterns;
}

repository::Labels labels(const Arguments& arguments) {
  repository::Labels labels;
  for (const std::string& text : arguments.values("label")) labels.push_back(parse_label(text));
  std::sort(labels.begin(), labels.end());
  for (std::size_t i = 1; i < labels.size(); ++i)
    if (labels[i].first == labels[i - 1].first)
      throw Error(ErrorCode::usage, say("label \"{}\" is given twice", printable(labels[i].first)));
  return labels;
}

void report(Output& output, const BackupResult& result, bool dry_run) {
  for (const repository::Finding& finding : result.findings) output.warn(printable(finding.path) + ": " + finding.what);
  const bool complete = result.findings.empty();
  if (output.json()) {
    Json errors = Json::array();
    for (const repository::Finding& finding : result.findings) {
      Json error;
      put_name(error, "path", finding.path);
      error["what"] = finding.what;
      errors.push_back(std::move(error));
    }
    output.document({{"type", "summary"},
                     {"snapshot", dry_run ? Json(nullptr) : Json(result.snapshot.hex())},
                     {"dry_run", dry_run},
                     {"files_new", result.files_new},
                     {"files_changed", result.files_changed},
                     {"files_unmodified", result.files_unmodified},
                     {"directories", result.directories},
                     {"bytes_read", result.bytes_read},
                     {"bytes_added", result.bytes_added},
                     {"bytes_stored", result.bytes_stored},
                     {"duration_s", static_cast<double>(result.duration_ns) / 1e9},
                     {"errors", std::move(errors)}});
    return;
  }
  if (output.quiet()) return;
  output.line(say("files    {} new, {} changed, {} unmodified", result.files_new, result.files_changed,
                  result.files_unmodified));
  output.line(say("content  {} read, {} new, {} stored", size_text(result.bytes_read), size_text(result.bytes_added),
                  size_text(result.bytes_stored)));
  output.line(say("time     {}", duration_text(result.duration_ns)));
  if (!complete)
    output.line(
        output.styled(Output::Style::bad,
                      counted(result.findings.size(), "{} thing could not be backed up as it is; it is named above",
                              "{} things could not be backed up as they are; they are named above")));
  if (dry_run)
    output.line(tr("dry run: nothing was stored"));
  else
    output.line(output.styled(Output::Style::good, say("snapshot {}", short_id(result.snapshot.hex()))));
}

// Said before anything is opened: a password may not be read from where the stream comes.
void require_input() {
  if (::fcntl(STDIN_FILENO, F_GETFD) < 0)
    throw Error(ErrorCode::usage, std::string(tr("--stdin: standard input is closed")));
  if (::isatty(STDIN_FILENO) == 1)
    throw Error(ErrorCode::usage, std::string(tr("--stdin: standard input is a terminal")))
        .with_hint(std::string(tr("give it a file or a pipe, or use --command")));
}

ImageSource::WhileMounted while_mounted(const Arguments& arguments) {
  if (!arguments.has("while-mounted")) return ImageSource::WhileMounted::refuse;
  if (arguments.text("while-mounted") == "crash-consistent") return ImageSource::WhileMounted::crash_consistent;
  throw Error(ErrorCode::usage, say("--while-mounted does not know \"{}\"", printable(arguments.text("while-mounted"))))
      .with_hint(say("choose one of: {}", "crash-consistent"));
}

void refuse_options(const Arguments& arguments, const std::vector<std::string_view>& options,
                    std::string_view goes_with) {
  for (const std::string_view option : options)
    if (arguments.has(option)) throw Error(ErrorCode::usage, say("--{} goes with {}", option, goes_with));
}

// What is to be backed up: one of the kinds, with what belongs to it and nothing else.
std::unique_ptr<BackupSource> chosen_source(const Arguments& arguments, const BackupOptions& options) {
  const bool command = arguments.has("command");
  const bool input = arguments.has("stdin");
  const int kinds = (options.paths.empty() ? 0 : 1) + (command ? 1 : 0) + (input ? 1 : 0);
  if (kinds != 1)
    throw Error(ErrorCode::usage, std::string(tr("backup wants paths, or --command, or --stdin")))
        .with_hint(say("see: {} --help", "qcbak backup"));
  const bool image = arguments.has("image");
  if (!command && !input) refuse_options(arguments, {"name"}, tr("--command or --stdin"));
  if (!image) refuse_options(arguments, {"while-mounted"}, "--image");
  if (!command && !input && !image) return std::make_unique<FileSource>(options);
  refuse_options(arguments, {"exclude", "exclude-from", "one-file-system", "force"}, tr("the backup of files"));
  if (!command && !input) return std::make_unique<ImageSource>(options.paths, while_mounted(arguments));
  refuse_options(arguments, {"image"}, tr("paths of devices and image files"));
  if (!arguments.has("name"))
    throw Error(ErrorCode::usage, std::string(tr("a stream wants --name NAME, which its file has in the snapshot")));
  if (command && arguments.text("command").empty())
    throw Error(ErrorCode::usage, std::string(tr("--command wants a command")));
  if (command) return std::make_unique<CommandSource>(arguments.text("command"), arguments.text("name"));
  require_input();
  return std::make_unique<InputSource>(STDIN_FILENO, arguments.text("name"));
}

ExitCode run(const Invocation& invocation) {
  const Arguments& arguments = invocation.arguments;
  BackupOptions options;
  for (const std::string& path : arguments.operands()) {
    if (path.empty()) throw Error(ErrorCode::usage, std::string(tr("an empty path")));
    options.paths.push_back(path);
  }
  const std::unique_ptr<BackupSource> source = chosen_source(arguments, options);
  options.host =
      require_utf8(arguments.has("host") ? arguments.text("host") : source::host_name(), tr("the name of a host"));
  options.labels = labels(arguments);
  options.excludes = excludes(arguments);
  if (arguments.has("one-file-system")) options.file_systems = BackupOptions::FileSystems::one;
  if (arguments.has("force")) options.unchanged = BackupOptions::Unchanged::read;
  const bool dry_run = arguments.has("dry-run");
  if (dry_run) options.commit = BackupOptions::Commit::no;
  options.compression_level =
      static_cast<int>(arguments.number("compression", static_cast<std::uint64_t>(options.compression_level), 0, 19));
  options.threads = static_cast<unsigned>(arguments.number("threads", 0, 0, 256));

  Session session(invocation, Session::Keys::any);
  const repository::DomainKeys& domain = session.repository().domain(arguments.text("domain"));
  if (!dry_run) session.lock_for_writing();
  Progress progress;
  BackupResult result;
  {
    const ProgressDisplay display(invocation, progress, std::string(tr("Backing up")));
    result = qcbak::backup(session.context(domain), options, *source, progress, invocation.stop);
  }
  report(invocation.output, result, dry_run);
  return result.findings.empty() ? ExitCode::done : ExitCode::incomplete;
}

}  // namespace

Command backup_command() {
  return {
      .name = "backup",
      .summary = "Back up files, a stream or disks into a new snapshot",
      .description =
          "Stores the files and folders named, with all their metadata, as one snapshot. What the repository has "
          "already is not "
          "stored again, and files that did not change since the last run are not opened. A file that cannot be read "
          "is "
          "named, the rest is backed up, and the exit code is 3. With --command or --stdin the snapshot has one file, "
          "of "
          "the name given with --name: what the command prints, or what comes on standard input. A command that fails "
          "or "
          "prints nothing leaves no snapshot; of what comes on standard input nobody can tell whether it is all. With "
          "--image "
          "each path is a block device or an image file, kept as one file without what is free on it.",
      .operands = {"PATH...", 0, Operands::kAny},
      .options =
          {
              {"image", "", "the paths are block devices or image files: back up their content"},
              {"while-mounted", "HOW", "of a device that is in use: crash-consistent; refused without it"},
              {"command", "CMD", "back up what this command of the shell prints"},
              {"stdin", "", "back up what comes on standard input"},
              {"name", "NAME", "what the file of a stream is called"},
              {.name = "label",
               .value = "KEY=VALUE",
               .help = "a label of the snapshot; may be given several times",
               .times = Option::Times::many},
              {.name = "exclude",
               .value = "GLOB",
               .help =
                   "leave out what matches; may be given several times. A name matches at any depth, a pattern with "
                   "'/' from the root when it starts with it, else from the working directory",
               .times = Option::Times::many},
              {.name = "exclude-from",
               .value = "FILE",
               .help = "patterns to leave out, one a line",
               .times = Option::Times::many},
              {"one-file-system", "", "stay on the file systems of the paths given"},
              {"domain", "NAME", "the domain whose keys seal it"},
              {"host", "NAME", "the host it is filed under; this one's name without it"},
              {"force", "", "read every file, also those that seem unchanged"},
              {"dry-run", "", "read, but store nothing"},
              {"compression", "LEVEL", "zstd level, 1 to 19; 3 unless given; 0: none"},
              {"threads", "N", "how many compress and seal; one for each processor without it"},
          },
      .later = {"postgres", "mariadb", "sqlite", "device", "profile", "from"},
      .examples =
          {
              {"qcbak backup /etc /home --label kind=system", "one snapshot of two folders"},
              {"qcbak backup / --one-file-system --exclude '/var/tmp/*' --exclude '*.iso'",
               "a system, without what is not wanted"},
              {"qcbak backup --image /dev/sdb1", "a partition, without its free space"},
              {"qcbak backup --command 'slapcat' --name directory.ldif", "what a program prints"},
          },
      .run = run,
  };
}

}  // namespace qcbak::cli
