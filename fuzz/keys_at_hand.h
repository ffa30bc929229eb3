// Keys that everybody knows: with them a fuzz target signs and seals its input, so that what lies behind a signature or a
// seal is reached, and make_corpus makes inputs that open.
#pragma once

#include "backup/repository/keys.h"
#include "base/error.h"

namespace qcbak::fuzz {

template <class Key>
Key key_of(unsigned byte) {
  return Key(Bytes(Key::kSize, static_cast<std::byte>(byte)));
}
template <class Id>
Id id_of(unsigned byte) {
  return Id(Bytes(Id::kSize, static_cast<std::byte>(byte)));
}

// Counts. For salts that need only be some.
class CountingRandom final : public Random {
 public:
  void fill(MutableByteView into) override {
    for (std::byte& byte : into) byte = static_cast<std::byte>(next_++);
  }

 private:
  unsigned next_ = 1;
};

inline const repository::Binding& binding() {
  static const repository::Binding binding{crypto::Suite::aes_256_gcm, id_of<crypto::Sha256>(1),
                                           id_of<repository::DomainId>(2)};
  return binding;
}

inline const repository::DomainKeys& domain() {
  static const repository::DomainKeys keys = [] {
    repository::DomainKeys domain(binding().domain, key_of<crypto::SignSeed>(3));
    domain.name = "default";
    domain.root = crypto::sign_public(domain.signer);
    repository::EpochKeys& epoch = domain.epochs.emplace_back();
    epoch.number = 1;
    epoch.map_key = key_of<repository::MapKey>(4);
    epoch.id_key = key_of<repository::IdKey>(5);
    epoch.secret = key_of<crypto::BoxSecret>(6);
    epoch.box = crypto::box_public(*epoch.secret);
    return domain;
  }();
  return keys;
}

// MAP(purpose, context, plaintext), by the epoch above.
inline Bytes seal(std::string_view purpose, ByteView context, ByteView plaintext) {
  CountingRandom random;
  const repository::EpochKeys& epoch = domain().current_epoch();
  return repository::seal_with_map_key(binding(), epoch.number, epoch.map_key, purpose, context, plaintext, random);
}

// What most inputs deserve: an Error, not a crash.
template <class Body>
void may_be_refused(Body&& body) {
  try {
    body();
  } catch (const Error&) {
  }
}

// The first byte of an input chooses among the parsers that share a target.
inline unsigned take_choice(ByteView& input, unsigned choices) {
  if (input.empty()) return 0;
  const unsigned choice = std::to_integer<unsigned>(input[0]) % choices;
  input = input.subspan(1);
  return choice;
}

}  // namespace qcbak::fuzz
