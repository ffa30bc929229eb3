#include "daemon/password_work.h"

#include <boost/asio/post.hpp>
#include <memory>
#include <numeric>

#include "base/error.h"
#include "crypto/password_hash.h"

namespace qcbak::daemon {
namespace {

PasswordWork::Result carry_out(const PasswordWork::Order& order) {
  PasswordWork::Result result;
  try {
    if (order.must_be_right) result.is_right = crypto::is_password(order.password.view(), order.hash);
    if ((order.must_be_right && !result.is_right) || !order.next) return result;
    result.next_is_the_same = !order.hash.empty() && crypto::is_password(order.next->view(), order.hash);
    result.next_hash = crypto::hash_password(order.next->view());
  } catch (const Error& error) {
    result.error = error.what();
  }
  return result;
}

}  // namespace

PasswordWork::~PasswordWork() {
  thread_.stop();
  thread_.join();
}

std::size_t PasswordWork::waiting() const {
  return std::accumulate(waiting_.begin(), waiting_.end(), std::size_t{0},
                         [](std::size_t sum, const auto& each) { return sum + each.second; });
}

void PasswordWork::start(const std::string& from, Order order, Done done) {
  if (const auto of_one = waiting_.find(from); waiting() >= kPasswordsWaitingLimit ||
                                               (of_one != waiting_.end() && of_one->second >= kPasswordsWaitingOfOneLimit))
    throw Error(ErrorCode::busy, "too many passwords wait to be checked").with_hint("try again in a few seconds");
  ++waiting_[from];
  // Shared, because what is posted has to be copyable.
  auto shared = std::make_shared<Order>(std::move(order));
  boost::asio::post(thread_, [this, from, shared = std::move(shared), done = std::move(done)] {
    boost::asio::post(loop_, [this, from, result = carry_out(*shared), done] {
      if (--waiting_[from] == 0) waiting_.erase(from);
      done(result);
    });
  });
}

}  // namespace qcbak::daemon
