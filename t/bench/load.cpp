// A load client for t/bench/run: a fixed number of GETs over a fixed number of keepalive connections.
//
//   load PORT CONNECTIONS REQUESTS TARGET
//
// Every answer must be a 200 with a body of one and the same length; prints that length. A tool that runs
// for a time instead of a count (wrk) leaves cut-off requests behind, which spoils CPU per request where
// one request takes milliseconds.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <strings.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace {

[[noreturn]] void fail(const std::string &why) {
  std::fprintf(stderr, "load: %s\n", why.c_str());
  std::exit(1);
}

/// Counts body bytes of one HTTP/1.1 response after the other.
class Response {
public:
  /// Consumes from the front of `in`; true at the end of a response.
  bool feed(std::string_view &in) {
    while (!in.empty()) {
      switch (state_) {
      case State::header:
      case State::chunk_size:
      case State::chunk_end:
      case State::trailer:
        if (take_line(in) && end_of_line()) return true;
        break;
      case State::body:
      case State::chunk:
        if (take_body(in)) return true;
        break;
      }
    }
    return false;
  }

  long body() const { return body_; }

private:
  enum class State { header, body, chunk_size, chunk, chunk_end, trailer };

  bool take_line(std::string_view &in) {
    std::size_t eol = in.find('\n');
    line_.append(in.substr(0, eol));
    in.remove_prefix(eol == std::string_view::npos ? in.size() : eol + 1);
    if (eol == std::string_view::npos) return false;
    if (!line_.empty() && line_.back() == '\r') line_.pop_back();
    return true;
  }

  /// True where the line ends the response.
  bool end_of_line() {
    std::string line;
    line.swap(line_);
    switch (state_) {
    case State::header: return header_line(line);
    case State::chunk_size:
      left_ = std::strtol(line.c_str(), nullptr, 16);
      state_ = left_ ? State::chunk : State::trailer;
      return false;
    case State::chunk_end: state_ = State::chunk_size; return false;
    default:
      if (!line.empty()) return false;
      state_ = State::header;
      return true;
    }
  }

  bool header_line(const std::string &line) {
    if (first_) {
      if (line.compare(0, 12, "HTTP/1.1 200") != 0) fail("not a 200: " + line);
      first_ = false;
      chunked_ = false;
      left_ = -1;
      body_ = 0;
    } else if (strncasecmp(line.c_str(), "content-length:", 15) == 0) {
      left_ = std::strtol(line.c_str() + 15, nullptr, 10);
    } else if (strncasecmp(line.c_str(), "transfer-encoding: chunked", 26) == 0) {
      chunked_ = true;
    } else if (strncasecmp(line.c_str(), "connection: close", 17) == 0) {
      fail("the server closes the connection");
    } else if (line.empty()) {
      first_ = true;
      if (!chunked_ && left_ < 0) fail("a body without an end");
      state_ = chunked_ ? State::chunk_size : left_ ? State::body : State::header;
      return state_ == State::header;
    }
    return false;
  }

  bool take_body(std::string_view &in) {
    long n = std::min<long>(left_, static_cast<long>(in.size()));
    in.remove_prefix(static_cast<std::size_t>(n));
    left_ -= n;
    body_ += n;
    if (left_) return false;
    bool last = state_ == State::body;
    state_ = last ? State::header : State::chunk_end;
    return last;
  }

  State state_ = State::header;
  std::string line_;
  bool first_ = true, chunked_ = false;
  long left_ = -1, body_ = 0;
};

struct Connection {
  int fd = -1;
  Response response;
};

int connect_to(int port) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<std::uint16_t>(port));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  int one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (connect(fd, reinterpret_cast<sockaddr *>(&to), sizeof to)) fail(std::strerror(errno));
  return fd;
}

void send_all(int fd, const std::string &text) {
  if (send(fd, text.data(), text.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(text.size()))
    fail("cannot send a request");
}

}  // namespace

int main(int argc, char **argv) {
  if (argc != 5) fail("usage: load PORT CONNECTIONS REQUESTS TARGET");
  int port = std::atoi(argv[1]), connections = std::atoi(argv[2]);
  long to_send = std::atol(argv[3]), to_read = to_send, length = -1;
  if (connections < 1 || to_send < 1) fail("nothing to do");
  std::string request = std::string("GET ") + argv[4] + " HTTP/1.1\r\nHost: localhost\r\n\r\n";

  alarm(300);
  int ep = epoll_create1(0);
  std::vector<Connection> all(static_cast<std::size_t>(connections));
  for (Connection &c : all) {
    c.fd = connect_to(port);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = &c;
    epoll_ctl(ep, EPOLL_CTL_ADD, c.fd, &event);
    if (to_send-- > 0) send_all(c.fd, request);
  }

  std::vector<char> buffer(256 * 1024);
  std::vector<epoll_event> events(all.size());
  while (to_read > 0) {
    int n = epoll_wait(ep, events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < n; i++) {
      Connection &c = *static_cast<Connection *>(events[static_cast<std::size_t>(i)].data.ptr);
      ssize_t got = recv(c.fd, buffer.data(), buffer.size(), 0);
      if (got <= 0) fail("the server broke the connection off");
      std::string_view in(buffer.data(), static_cast<std::size_t>(got));
      while (!in.empty() && c.response.feed(in)) {
        if (length < 0) length = c.response.body();
        if (length != c.response.body()) fail("answers of different lengths");
        to_read--;
        if (to_send-- > 0) send_all(c.fd, request);
      }
    }
  }
  std::printf("%ld\n", length);
  return 0;
}
