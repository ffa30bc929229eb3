#include "daemon/proxy_line.h"

#include <gmock/gmock.h>

#include "base/error.h"

namespace qcbak::daemon {
namespace {

namespace ip = boost::asio::ip;

ip::tcp::endpoint at(const char* address, std::uint16_t port) { return {ip::make_address(address), port}; }

TEST(ProxyLine, IsWrittenAsThePapersSay) {
  EXPECT_EQ(encode_proxy_line(at("10.0.0.7", 51234), at("10.0.0.5", 7421)), "PROXY TCP4 10.0.0.7 10.0.0.5 51234 7421\r\n");
  EXPECT_EQ(encode_proxy_line(at("fd00::7", 1), at("fd00::5", 65535)), "PROXY TCP6 fd00::7 fd00::5 1 65535\r\n");
}

// A socket of both families says it otherwise than one of IPv4.
TEST(ProxyLine, HasOneSpellingForAnAddress) {
  EXPECT_EQ(encode_proxy_line(at("::ffff:10.0.0.7", 5), at("::ffff:10.0.0.5", 6)), "PROXY TCP4 10.0.0.7 10.0.0.5 5 6\r\n");
  EXPECT_EQ(encode_proxy_line(at("fe80::1%1", 5), at("fe80::2%1", 6)), "PROXY TCP6 fe80::1 fe80::2 5 6\r\n");
  EXPECT_EQ(parse_proxy_line("PROXY TCP6 FD00:0::07 ::1 5 6\r\n")->address, "fd00::7");
}

TEST(ProxyLine, ComesBackAsItWas) {
  const std::string widest = "1111:2222:3333:4444:5555:6666:7777:8888";
  for (const char* address : {"10.0.0.7", "255.255.255.255", "::1", widest.c_str()}) {
    const std::string line = encode_proxy_line(at(address, 65535), at(address, 65535));
    EXPECT_LE(line.size(), kProxyLineLimit);
    const auto source = parse_proxy_line(line);
    ASSERT_TRUE(source);
    EXPECT_EQ(source->address, address);
    EXPECT_EQ(source->port, 65535);
  }
  EXPECT_FALSE(parse_proxy_line("PROXY UNKNOWN\r\n"));
}

TEST(ProxyLine, NothingElseIsOne) {
  for (const std::string& line :
       {std::string(), std::string("\r\n"), std::string("PROXY\r\n"), std::string("PROXY \r\n"), std::string("GET / HTTP/1.1\r\n"),
        std::string("PROXY TCP4 10.0.0.7 10.0.0.5 51234 7421"), std::string("PROXY TCP4 10.0.0.7 10.0.0.5 51234 7421\n"),
        std::string("PROXY TCP4 10.0.0.7 10.0.0.5 51234 7421 \r\n"), std::string("PROXY TCP4 10.0.0.7 10.0.0.5 51234 7421 0\r\n"),
        std::string("PROXY TCP4 10.0.0.7 10.0.0.5 51234\r\n"), std::string("PROXY TCP4 10.0.0.7 10.0.0.5 51234 \r\n"),
        std::string("PROXY  TCP4 10.0.0.7 10.0.0.5 51234 7421\r\n"), std::string("proxy TCP4 10.0.0.7 10.0.0.5 51234 7421\r\n"),
        std::string("PROXY TCP4 10.0.0.07 10.0.0.5 51234 7421\r\n"), std::string("PROXY TCP4 10.0.7 10.0.0.5 51234 7421\r\n"),
        std::string("PROXY TCP4 fd00::7 fd00::5 51234 7421\r\n"), std::string("PROXY TCP6 10.0.0.7 10.0.0.5 51234 7421\r\n"),
        std::string("PROXY TCP6 ::ffff:10.0.0.7 ::1 51234 7421\r\n"), std::string("PROXY TCP6 fe80::1%1 ::1 51234 7421\r\n"),
        std::string("PROXY TCP4 10.0.0.7 10.0.0.5 65536 7421\r\n"), std::string("PROXY TCP4 10.0.0.7 10.0.0.5 0 7421\r\n"),
        std::string("PROXY TCP4 10.0.0.7 10.0.0.5 +1 7421\r\n"), std::string("PROXY TCP4 10.0.0.7 10.0.0.5 01 7421\r\n"),
        std::string("PROXY TCP4 10.0.0.7\0 10.0.0.5 1 7421\r\n", 41), std::string("PROXY UNKNOWN 1 2 3 4\r\n"),
        std::string("PROXY UNKNOWN \r\n"), std::string("PROXY TCP6 ::1 ::1 1 1") + std::string(200, ' ') + "\r\n"})
    EXPECT_THROW(parse_proxy_line(line), Error) << line;
}

}  // namespace
}  // namespace qcbak::daemon
