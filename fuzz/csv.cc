// The inventory of media as somebody's spreadsheet wrote it.
#include "daemon/csv.h"

#include "daemon/media_import.h"
#include "fuzz/keys_at_hand.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace qcbak;
  const std::string_view text = as_text(std::as_bytes(std::span(data, size)));
  fuzz::may_be_refused([&] {
    for (const daemon::CsvRow& row : daemon::parse_csv(text)) {
      const std::vector<daemon::CsvRow> again = daemon::parse_csv(daemon::csv_line(row.fields));
      check(again.size() == 1 && again.front().fields.size() == row.fields.size(), "a row is read as it was written");
    }
  });
  fuzz::may_be_refused([&] { daemon::media_from_csv(text); });
  return 0;
}
