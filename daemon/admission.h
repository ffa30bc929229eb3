// Who is let in over the network: log-ins, sessions, and the passwords of accounts. docs/people.md "Accounts for the network".
#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "daemon/audit.h"
#include "daemon/password_work.h"
#include "daemon/register.h"
#include "daemon/server.h"
#include "daemon/sessions.h"

namespace qcbak::daemon {

class Admission {
 public:
  // What it works with; all of it outlives this.
  struct Daemon {
    const config::Config& config;
    AuditLog& audit;
    Register& people;
    const Clock& clock;
    Random& random;
    std::function<void()> register_changed;  // takes in what was written
  };
  Admission(boost::asio::io_context& loop, Daemon daemon);

  // Who sends this request over the network, if it may go on to what answers it; else a reply was given, or will be.
  std::optional<Caller> admit(Request& request, const std::string& from, const Server::Respond& respond);
  // POST /v1/people/NAME/password, over the network or on the socket.
  void change_password(const std::string& name, Request& request, const Caller& caller, const Server::Respond& respond);

  // A secret to be put into an app, and what an app makes a picture of. In force once a code of it came within ten minutes.
  struct Proposal {
    std::string secret, uri;
    bool replaces = false;  // one that is in force
  };
  Proposal propose_second_factor(const Caller& caller);
  // `present_code`: of the one that is in force, where there is one. Error(refused): a code is wrong.
  void confirm_second_factor(const Caller& caller, const std::string& code, const std::string& present_code);
  void remove_second_factor(const std::string& name, const Caller& caller);

  void end_sessions(const std::string& name, const std::string& why);
  void look();  // every few seconds: ends sessions whose time is over, suspends accounts that nobody uses
  std::size_t sessions() const { return sessions_.count(); }

 private:
  struct LogIn {
    std::string name, code, from;
    bool take_over = false;
  };
  struct Change {
    std::string name;
    Caller caller;
    bool own = false;
    bool compared = false;  // with the present password
  };
  struct Refusal {
    std::string why;
    bool counts = false;  // for the lock
  };
  void log_in(Request& request, const std::string& from, const Server::Respond& respond);
  std::optional<Refusal> refusal_of(const LogIn& log_in, bool password_is_right, std::optional<std::uint64_t>& otp_step);
  std::optional<Refusal> why_not_usable(const std::optional<Account>& account, const std::string& from);
  void write_down(const LogIn& log_in, const Refusal& refusal);
  nlohmann::json finish_log_in(const LogIn& log_in, const PasswordWork::Result& result);
  void make_room_for(const Session& session, bool take_over);
  void require_may_change(const Change& change, const std::optional<Account>& account);
  nlohmann::json finish_change(const Change& change, const PasswordWork::Result& result);
  void count_failure(const std::string& name, const std::string& from, const std::string& why);
  bool lock_if_due(const std::string& name, const std::string& from);
  bool suspend_if_due(const Account& account);
  std::vector<std::string> must_first(const Session& session);
  nlohmann::json session_reply(const Request& request, const Session& session, const std::string& from);
  void end(const Session& session, const std::string& why);
  void reply_or_refuse(const std::string& what, const Caller& caller, const Server::Respond& respond,
                       const std::function<std::optional<nlohmann::json>()>& body);

  Daemon daemon_;
  Sessions sessions_;
  struct Pending {
    std::string secret;
    std::int64_t since_ns = 0;
  };
  std::map<std::string, Pending> pending_;  // second factors to be, by name
  PasswordWork work_;
};

}  // namespace qcbak::daemon
