#include "wipe/transcript.h"

namespace qcbak::wipe {
namespace {

bool says_the_same(const CommandRecord& record, const CommandRequest& request, const CommandResult& result) {
  const CommandResult& before = record.result;
  return record.command == request.command && before.error == result.error && before.status == result.status &&
         before.host_status == result.host_status && before.driver_status == result.driver_status &&
         before.nvme_status == result.nvme_status;
}

}  // namespace

Transcript::Transcript(CommandChannel& channel, const Clock& clock, std::vector<CommandRecord> before)
    : channel_(channel), clock_(clock), records_(std::move(before)) {}

CommandResult Transcript::send(const CommandRequest& request) {
  const Time sent = clock_.now();
  CommandResult result = channel_.send(request);
  CommandResult kept = result;
  kept.from_disk.clear();
  if (!records_.empty() && (says_the_same(records_.back(), request, result) || records_.size() >= kTranscriptLimit)) {
    CommandRecord& last = records_.back();
    if (last.command == request.command) last.result = std::move(kept);
    ++last.times;
    last.last = clock_.now();
  } else {
    records_.push_back({request.command, std::move(kept), 1, sent, clock_.now()});
  }
  return result;
}

}  // namespace qcbak::wipe
