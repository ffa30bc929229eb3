// A value reachable only through its lock.
#pragma once

#include <mutex>
#include <utility>

namespace qcbak {

template <class Value>
class Guarded {
 public:
  Guarded() = default;
  explicit Guarded(Value value) : value_(std::move(value)) {}

  class Access {
   public:
    Value* operator->() { return &value_; }
    Value& operator*() { return value_; }
    std::unique_lock<std::mutex>& lock() { return lock_; }  // for a condition variable

   private:
    friend Guarded;
    Access(std::mutex& mutex, Value& value) : lock_(mutex), value_(value) {}
    std::unique_lock<std::mutex> lock_;
    Value& value_;
  };
  Access lock() { return Access(mutex_, value_); }

 private:
  std::mutex mutex_;
  Value value_;
};

}  // namespace qcbak
