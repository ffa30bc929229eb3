// The CBOR reader: bytes it accepts as one item must be what the writer makes of the values read.
#include "base/cbor.h"

#include "base/error.h"

namespace qcbak {
namespace {

void copy_item(cbor::Reader& from, cbor::Writer& to) {
  switch (from.next()) {
    case cbor::Kind::integer: to.integer(from.integer()); break;
    case cbor::Kind::bytes: to.bytes(from.bytes()); break;
    case cbor::Kind::text: to.text(from.text()); break;
    case cbor::Kind::boolean: to.boolean(from.boolean()); break;
    case cbor::Kind::null:
      from.null();
      to.null();
      break;
    case cbor::Kind::array: {
      const std::uint64_t count = from.array();
      to.array(count);
      for (std::uint64_t i = 0; i < count; ++i) copy_item(from, to);
      break;
    }
    case cbor::Kind::map: {
      const std::uint64_t count = from.map();
      to.map(count);
      for (std::uint64_t i = 0; i < 2 * count; ++i) copy_item(from, to);
      break;
    }
    case cbor::Kind::end: throw Error(ErrorCode::damaged, "ends too early");
  }
}

}  // namespace
}  // namespace qcbak

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace qcbak;
  const ByteView input = std::as_bytes(std::span(data, size));
  try {
    // Bounds the nesting before anything here recurses.
    const ByteView item = cbor::Reader(input).skip();
    cbor::Reader reader(item);
    Bytes copy;
    cbor::Writer writer(copy);
    copy_item(reader, writer);
    check(equal(item, copy), "one value has one encoding");
  } catch (const Error&) {
    // Refused: what most inputs deserve.
  }
  return 0;
}
