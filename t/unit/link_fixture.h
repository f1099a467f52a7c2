// What the tests of link_writer.cpp and link_opener.cpp share: a scope, windows of any size, and URLs
// whose parts are spelled out by hand.

#ifndef HLS_LINK_FIXTURE_H
#define HLS_LINK_FIXTURE_H

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "link.h"
#include "link_oracle.h"

#include "tap_main.h"

namespace fixture {

constexpr std::uint64_t kNow = 1'000'000'000;
constexpr char kSecret[] = "0123456789abcdef";
constexpr char kStream[] = "AQVhbmltZQVzaG93AAE";   // source "anime", values "show", none, ""

/// Windows of `size` bytes, or of just what is asked for where that is more; each one is memory of its
/// own, so that a byte too many is found by the sanitizer.
class Windows : public hls::Output {
public:
  explicit Windows(std::size_t size = kMaxReserve) : size_(size) {}

  /// All that was written since the last call.
  std::string take() {
    keep();
    window_.reset();
    pos_ = end_ = nullptr;
    return std::move(bytes_);
  }

  unsigned count() const { return count_; }

private:
  void keep() {
    if (window_) bytes_.append(window_.get(), static_cast<std::size_t>(pos_ - window_.get()));
  }

  void next_window(std::size_t n) override {
    keep();
    const std::size_t size = std::max(n, size_);
    window_.reset(new char[size]);
    pos_ = window_.get();
    end_ = pos_ + size;
    count_++;
  }

  std::unique_ptr<char[]> window_;
  std::size_t size_;
  std::string bytes_;
  unsigned count_ = 0;
};

/// A scope with its keys; the first of `secrets` signs.
struct Relay {
  explicit Relay(const std::vector<std::string> &secrets = {kSecret}) {
    for (const std::string &secret : secrets) keys.emplace_back(secret);
    scope.base = "/hls";
    scope.public_base = "https://proxy.example/hls";
    scope.stream = kStream;
    scope.key = &keys[0];
    scope.playlist_exp = kNow + 604'800;
    scope.media_exp = kNow + 43'200;
  }
  Relay(const Relay &) = delete;

  hls::LinkKeys keys;
  hls::LinkScope scope;
};

inline hls::Url url_of(std::string_view text) {
  hls::Url url;
  tap::check(hls::parse_url(text, url), "a URL: " + tap::quoted(text.substr(0, 80)));
  return url;
}

/// By a writer that has written nothing before. Empty: refused.
inline std::string fresh_link(const hls::LinkScope &scope, const hls::Url &url, hls::UriKind kind,
                              const hls::Position *at = nullptr, std::string_view variables = {},
                              bool absolute = false) {
  hls::LinkWriter writer(scope);
  Windows out;
  bool written = writer.write(out, url, kind, at, variables, absolute);
  std::string text = out.take();
  tap::check(written != text.empty(), "written, or nothing written");
  return text;
}

/// Path below the base, and arguments.
struct Request {
  std::string path, args;
};

inline Request request_of(std::string_view link, std::string_view base = "/hls") {
  tap::check(link.substr(0, base.size()) == base, "below the base");
  link.remove_prefix(std::min(base.size(), link.size()));
  std::size_t question = std::min(link.find('?'), link.size());
  return {std::string(link.substr(0, question)),
          std::string(link.substr(std::min(question + 1, link.size())))};
}

inline hls::LinkState open(const Relay &relay, const Request &request, hls::Link &link,
                           std::uint64_t now = kNow) {
  const char *reason = "stale";
  hls::LinkState state =
      hls::open_link(request.path, request.args, relay.keys, relay.scope.bind, now, link, reason);
  if ((state == hls::LinkState::ok) != (reason == nullptr)) tap::check(false, "a reason for all but ok");
  return state;
}

/// All that a link says, on one line.
inline std::string meaning(const hls::Link &link) {
  std::string text = link.kind == hls::LinkKind::media ? "media " : "playlist ";
  text += link.stream_text + ' ' + std::string(link.url.text()) + " v=" + link.variables;
  if (link.at) {
    text += " at=" + std::to_string(link.at->parent) + '.' + std::to_string(link.at->sequence) + '.' +
            std::to_string(link.at->part);
  }
  return text + " exp=" + std::to_string(link.exp) + " end=" + std::to_string(link.end);
}

/// A URL, its parts, and what a link for it as a `kind` shows.
struct SpeltUrl {
  std::string text;
  bool https;
  std::string authority, directory, name;
  std::optional<std::string> query;
  hls::UriKind kind;
  std::string link_name;
};

inline const std::vector<SpeltUrl> &spelt_urls() {
  using hls::UriKind;
  static const std::string kLong(3000, 'l');
  static const std::vector<SpeltUrl> urls = {
      {"https://up.example/live/ch1/a.ts", true, "up.example", "/live/ch1/", "a.ts", {}, UriKind::segment,
       "a.ts"},
      {"http://up.example/", false, "up.example", "/", "", {}, UriKind::playlist, "index.m3u8"},
      {"http://h/?", false, "h", "/", "", "", UriKind::automatic, "index.m3u8"},
      {"https://up.example/a.ts?", true, "up.example", "/", "a.ts", "", UriKind::segment, "a.ts"},
      {"https://up.example/a.ts?t=A+B&u=C%2FD&&=&x=/..//y?z==", true, "up.example", "/", "a.ts",
       "t=A+B&u=C%2FD&&=&x=/..//y?z==", UriKind::segment, "a.ts"},
      {"https://up.example/m.m3u8?u=1&v=2&at=3&end=4&exp=5&sig=6", true, "up.example", "/", "m.m3u8",
       "u=1&v=2&at=3&end=4&exp=5&sig=6", UriKind::playlist, "m.m3u8"},
      {"https://up.example/d//e///a.ts", true, "up.example", "/d//e///", "a.ts", {}, UriKind::segment,
       "a.ts"},
      {"https://up.example//", true, "up.example", "//", "", {}, UriKind::key, "key.key"},
      {"https://up.example/a%2Fb/%2e%2e/c%20d.ts", true, "up.example", "/a%2Fb/%2e%2e/", "c%20d.ts", {},
       UriKind::segment, "c_20d.ts"},
      {"https://up.example/p%zz/100%.ts", true, "up.example", "/p%zz/", "100%.ts", {}, UriKind::segment,
       "100_.ts"},
      {"https://up.example/c%C3%A9/%E6%97%A5.m4s", true, "up.example", "/c%C3%A9/", "%E6%97%A5.m4s", {},
       UriKind::fragment, "_E6_97_A5.m4s"},
      {"https://up.example/.hidden.ts", true, "up.example", "/", ".hidden.ts", {}, UriKind::segment,
       "hidden.ts"},
      {"https://up.example/...", true, "up.example", "/", "...", {}, UriKind::segment, "segment.ts"},
      {"https://up.example/...?q", true, "up.example", "/", "...", "q", UriKind::json, "data.json"},
      {"https://up.example/.ts", true, "up.example", "/", ".ts", {}, UriKind::segment, "segment.ts"},
      {"https://up.example/seg.jpg", true, "up.example", "/", "seg.jpg", {}, UriKind::segment, "seg.jpg.ts"},
      {"https://up.example/a.ts;sid=1", true, "up.example", "/", "a.ts;sid=1", {}, UriKind::segment,
       "a.ts_sid_1.ts"},
      {"http://up.example:8080/a.ts", false, "up.example:8080", "/", "a.ts", {}, UriKind::segment, "a.ts"},
      {"http://up.example:80/a.ts", false, "up.example:80", "/", "a.ts", {}, UriKind::segment, "a.ts"},
      {"http://up.example./a.ts", false, "up.example.", "/", "a.ts", {}, UriKind::segment, "a.ts"},
      {"https://[2001:db8::1]:8443/a.mp4", true, "[2001:db8::1]:8443", "/", "a.mp4", {}, UriKind::init,
       "a.mp4"},
      {"http://192.0.2.1/get.php?id=1", false, "192.0.2.1", "/", "get.php", "id=1", UriKind::segment,
       "get.php.ts"},
      {"https://user:p%40ss@up.example/a.ts", true, "user:p%40ss@up.example", "/", "a.ts", {},
       UriKind::segment, "a.ts"},
      {"https://up.example/a@b/[1]/c,d!e'f(g)*h;i=j:k.ts", true, "up.example", "/a@b/[1]/",
       "c,d!e'f(g)*h;i=j:k.ts", {}, UriKind::segment, "c_d_e_f_g__h_i_j_k.ts"},
      {"https://up.example/" + kLong + "/a.ts?" + kLong, true, "up.example", "/" + kLong + "/", "a.ts", kLong,
       UriKind::segment, "a.ts"},
      {"https://up.example/" + kLong + ".ts", true, "up.example", "/", kLong + ".ts", {}, UriKind::segment,
       std::string(125, 'l') + ".ts"},
  };
  return urls;
}

/// What the oracle makes its link of: `c` in `scope`.
inline oracle::Parts parts_of(const SpeltUrl &c, const hls::LinkScope &scope) {
  oracle::Parts p;
  p.media = c.kind != hls::UriKind::playlist && c.kind != hls::UriKind::automatic;
  p.stream = scope.stream, p.name = c.link_name;
  p.https = c.https, p.authority = c.authority, p.directory = c.directory, p.query = c.query;
  if (c.link_name != c.name) p.true_name = c.name;
  p.exp = p.media ? scope.media_exp : scope.playlist_exp;
  p.end = scope.end, p.bind = scope.bind;
  return p;
}

}  // namespace fixture

#endif
