// Overwrites a device by a plan and says how fast: bench_wipe_device DEVICE PLAN REQUESTS_AT_ONCE. DESTROYS what is on it; for
// loop devices. bench/wipe_device.sh runs it beside fio and nwipe.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <stop_token>

#include "base/error.h"
#include "wipe/linux_block_device.h"
#include "wipe/overwrite.h"
#include "wipe/verdict.h"

namespace {

using namespace qcbak;

constexpr char kSerial[] = "BENCHMARK";

void print_rates(const wipe::OverwriteResult& result) {
  for (std::size_t i = 0; i < result.progress.steps.size(); ++i) {
    const wipe::StepProgress& step = result.progress.steps[i];
    const double seconds = double(step.ended.value().ns - step.began.value().ns) / 1e9;
    std::printf("%s %s: %.0f MB/s\n", std::string(step_kind_name(result.plan.steps[i].kind)).c_str(),
                result.contents[i].c_str(), double(step.done_bytes) / 1e6 / seconds);
  }
  const wipe::Assessment assessment = assess(facts_of(result));
  std::printf("verdict: %s\n", std::string(verdict_name(assessment.verdict)).c_str());
}

void run(const std::string& path, const char* plan_name, unsigned requests) {
  wipe::LinuxBlockDevice device(path);
  const wipe::Plan& plan = wipe::shipped_plan(plan_name);
  const wipe::Inspection inspection = inspect(device);
  wipe::ConfirmedTarget target = confirm(inspection,
                                         {inspection.identity().model, kSerial, wipe::SerialOrigin::entered_by_hand,
                                          inspection.geometry().size_bytes, plan_hash(plan)},
                                         std::string_view(kSerial).substr(sizeof kSerial - 1 - wipe::kTypedCharacters));
  const SystemClock clock;
  SystemRandom random;
  const std::string journal_path = "/tmp/qcbak-bench-" + std::to_string(::getpid());
  wipe::Journal journal = wipe::Journal::create(journal_path, begin_job(target, plan, clock, random));
  ::unlink(journal_path.c_str());
  wipe::OverwriteOptions options;
  options.requests_at_once = requests;
  print_rates(overwrite(device, std::move(target), plan, journal, options, clock, {}));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: bench_wipe_device DEVICE PLAN REQUESTS_AT_ONCE\n");
    return 2;
  }
  try {
    run(argv[1], argv[2], static_cast<unsigned>(std::atoi(argv[3])));
    return 0;
  } catch (const qcbak::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return error.exit_code();
  }
}
