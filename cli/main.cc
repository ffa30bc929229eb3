// qcbak: the table of its commands. Each is in the file of its name.
#include "cli/manual.h"
#include "cli/program.h"
#include "cli/wipe_child.h"

int main(int argc, char** argv) {
  using namespace qcbak::cli;
  Program program = {
      .name = "qcbak",
      .summary = "encrypted, deduplicated backup that proves it restores",
      .description =
          "Backs up files into an encrypted, deduplicated repository, and proves that they come back. The repository "
          "is named by "
          "--repo or QCBAK_REPO, its password by QCBAK_PASSWORD_FILE or QCBAK_PASSWORD_COMMAND, or it is asked for.",
      .commands =
          {
              init_command(),    backup_command(),     snapshots_command(),  ls_command(),
              find_command(),    cat_command(),        diff_command(),       restore_command(),
              verify_command(),  repair_command(),     forget_command(),     prune_command(),
              tag_command(),     stats_command(),      export_command(),     key_list_command(),
              key_add_command(), key_remove_command(), key_passwd_command(), key_credential_command(),
              config_check_command(), config_show_command(), status_command(),   job_list_command(),
              job_run_command(), job_show_command(),   job_history_command(), job_cancel_command(),
              plan_show_command(), plan_submit_command(), plan_approve_command(), plan_reject_command(),
              user_list_command(), user_add_command(),    user_enrol_command(),   user_lock_command(),    user_unlock_command(),
              user_password_command(), user_enrol_otp_command(), user_review_command(),
              audit_show_command(), audit_verify_command(), audit_export_command(), verify_evidence_command(), key_export_command(),
              login_command(), logout_command(),
              wipe_list_command(), wipe_plans_command(), wipe_inspect_command(), wipe_request_command(), wipe_approve_command(),
              wipe_run_command(), wipe_resume_command(), wipe_validate_command(), wipe_certificate_command(), wipe_confirm_command(), wipe_destroyed_command(),
              wipe_media_command(), wipe_status_command(), wipe_reject_command(), wipe_export_command(), wipe_import_command(),
          },
      .later = {"wal",        "mount",         "agent",          "drill",     "replica",    "report",      "incident",
                "guard",      "key rotate",     "key custody", "key keygen", "key domain",    "key verify",     "key share", "key combine"},
      .examples =
          {
              {"export QCBAK_REPO=/srv/backup QCBAK_PASSWORD_FILE=/root/qcbak.password", "what the following use"},
              {"qcbak init && qcbak backup /etc && qcbak restore latest --verify --target /tmp/etc",
               "a first backup, and the proof"},
          },
  };
  add_internal_commands(program);
  program.commands.push_back(internal_wipe_command());
  return run_program(program, argc, argv);
}
