#include "resolver_answer.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include <nlohmann/json.hpp>

#include "attribute_list.h"
#include "link.h"
#include "percent.h"

namespace hls {

namespace {

using Json = nlohmann::json;

constexpr std::uint64_t kDay = 86400;
constexpr std::uint64_t kTenYears = 3652 * kDay;
constexpr std::size_t kMaxHeaderName = 128;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

std::string lower(std::string_view text) {
  std::string folded(text);
  for (char &c : folded) c = lower(c);
  return folded;
}

bool starts_with(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

bool ends_with(std::string_view text, std::string_view suffix) {
  return text.size() >= suffix.size() && text.substr(text.size() - suffix.size()) == suffix;
}

bool is_token(std::string_view text) {   // RFC 9110 5.6.2
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
  });
}

// `name` in lower case.
bool is_refused(std::string_view name) {
  for (std::string_view prefix : {"if-", "proxy-", "content-", "x-accel-"}) {
    if (starts_with(name, prefix)) return true;
  }
  for (std::string_view refused : {"host", "range", "connection", "keep-alive", "te", "trailer",
                                   "transfer-encoding", "upgrade", "expect"}) {
    if (name == refused) return true;
  }
  return false;
}

enum class Form { json, text, other };

Form form_of(std::string_view content_type) {
  std::string type = lower(trim_blanks(content_type.substr(0, content_type.find(';'))));
  if (type == "text/plain") return Form::text;
  bool json = type == "application/json" || type == "text/json" || ends_with(type, "+json");
  return json ? Form::json : Form::other;
}

// Seconds of a unix time that is given in seconds or milliseconds.
std::optional<std::uint64_t> near_now(std::uint64_t n, std::uint64_t now) {
  for (std::uint64_t seconds : {n, n / 1000}) {
    if (seconds + kDay >= now && seconds <= now + kTenYears) return seconds;
  }
  return std::nullopt;
}

std::optional<std::uint64_t> read_digits(std::string_view text) {
  if (text.empty() || text.size() > 15) return std::nullopt;
  std::uint64_t n = 0;
  for (char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    n = n * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return n;
}

AnswerError read_url(std::string_view text, Url &url) {
  text = trim_blanks(text);
  if (text.empty()) return AnswerError::no_url;
  if (text.size() > LinkWriter::kMaxUrl || !parse_url(text, url)) return AnswerError::bad_url;
  return url.text().size() > LinkWriter::kMaxUrl ? AnswerError::bad_url : AnswerError::none;
}

AnswerError read_header(const std::string &name, const Json &json, std::vector<UpstreamHeader> &headers) {
  if (!json.is_string()) return AnswerError::bad_json;
  std::string_view value = trim_blanks(json.get_ref<const std::string &>());
  if (name.size() > kMaxHeaderName || !is_token(name)) return AnswerError::bad_header;
  if (value.size() > kMaxUpstreamHeaderValue || has_control(value)) return AnswerError::bad_header;
  const std::string folded = lower(name);
  if (is_refused(folded)) return AnswerError::header_refused;
  if (folded == "accept-encoding") return AnswerError::none;
  for (const UpstreamHeader &other : headers) {
    if (lower(other.name) == folded) return AnswerError::bad_header;
  }
  if (headers.size() == kMaxUpstreamHeaders) return AnswerError::bad_header;
  headers.push_back({name, std::string(value)});
  return AnswerError::none;
}

AnswerError read_headers(const Json &json, std::vector<UpstreamHeader> &headers) {
  if (json.is_null()) return AnswerError::none;
  if (!json.is_object()) return AnswerError::bad_json;
  for (const auto &item : json.items()) {
    AnswerError error = read_header(item.key(), item.value(), headers);
    if (error != AnswerError::none) return error;
  }
  return AnswerError::none;
}

AnswerError read_expires(const Json &json, std::uint64_t now, std::uint64_t &expires) {
  if (json.is_null()) return AnswerError::none;
  std::optional<std::uint64_t> n;
  if (json.is_number_unsigned()) {
    n = json.get<std::uint64_t>();
  } else if (json.is_number_float()) {
    double number = json.get<double>();
    if (std::isfinite(number) && number >= 0 && number < 1e15) n = static_cast<std::uint64_t>(number);
  } else if (json.is_string()) {
    n = read_digits(trim_blanks(json.get_ref<const std::string &>()));
  } else if (!json.is_number()) {
    return AnswerError::bad_json;
  }
  if (n && *n == 0) return AnswerError::none;
  if (n && *n < 1000000000000000) n = near_now(*n, now);
  else n.reset();
  if (!n) return AnswerError::bad_expires;
  expires = *n > now ? *n : 0;   // a service whose clock is behind ours
  return AnswerError::none;
}

AnswerError read_provider(const Json &json, std::string &provider) {
  if (json.is_null()) return AnswerError::none;
  if (!json.is_string()) return AnswerError::bad_json;
  provider = json.get<std::string>();
  return provider.size() > kMaxProviderName || has_control(provider) ? AnswerError::bad_provider
                                                                     : AnswerError::none;
}

AnswerError read_json(std::string_view body, std::uint64_t now, ResolverAnswer &answer) {
  // The parser takes NUL for the end of the text.
  if (body.find('\0') != body.npos) return AnswerError::bad_json;
  const Json document = Json::parse(body.begin(), body.end(), nullptr, false);
  if (!document.is_object()) return AnswerError::bad_json;
  const Json null;
  auto member = [&](const char *name) -> const Json & {
    auto found = document.find(name);
    return found == document.end() ? null : *found;
  };

  const Json &url = member("url");
  if (url.is_null()) return AnswerError::no_url;
  if (!url.is_string()) return AnswerError::bad_json;
  AnswerError error = read_url(url.get_ref<const std::string &>(), answer.url);
  if (error == AnswerError::none) error = read_headers(member("headers"), answer.headers);
  if (error == AnswerError::none) error = read_expires(member("expires"), now, answer.expires);
  if (error == AnswerError::none) error = read_provider(member("provider"), answer.provider);
  return error;
}

bool names_expiry(std::string_view name) {
  const std::string folded = lower(name);
  for (std::string_view known : {"e", "exp", "expire", "expires", "expiry", "expiration", "expired", "t",
                                 "until", "deadline", "validto", "valid_to", "valid_until", "endtime",
                                 "token_expires", "token_exp", "wstime", "auth_exp"}) {
    if (folded == known) return true;
  }
  return false;
}

// Keeps the better of two times.
class Expiry {
public:
  explicit Expiry(std::uint64_t now) : now_(now) {}

  void consider(std::string_view digits) {
    std::optional<std::uint64_t> n = read_digits(digits);
    if (n) n = near_now(*n, now_);
    if (!n || *n <= now_) return;   // such a time says when the URL was made
    if (best_ == 0 || *n < best_) best_ = *n;
  }

  std::uint64_t best() const { return best_; }

private:
  std::uint64_t now_;
  std::uint64_t best_ = 0;
};

}  // namespace

const char *describe(AnswerError error) {
  switch (error) {
    case AnswerError::none: return "no error";
    case AnswerError::too_large: return "the answer is too large";
    case AnswerError::wrong_type: return "the answer's Content-Type is neither JSON nor text/plain";
    case AnswerError::bad_json: return "the answer is not a JSON object of the expected form";
    case AnswerError::no_url: return "the answer holds no URL";
    case AnswerError::bad_url: return "the answer's URL is not an absolute http(s) URL, or too long";
    case AnswerError::bad_header: return "the answer has a malformed header, too many, or one twice";
    case AnswerError::header_refused: return "the answer has a header that only the relay itself sends";
    case AnswerError::bad_expires: return "the answer's expires is not a unix time near now";
    case AnswerError::bad_provider: return "the answer's provider is too long or has control characters";
  }
  return "unknown error";
}

AnswerError parse_resolver_answer(std::string_view content_type, std::string_view body, std::uint64_t now,
                                  ResolverAnswer &answer) {
  if (body.size() > kMaxAnswer) return AnswerError::too_large;
  if (starts_with(body, "\xEF\xBB\xBF")) body.remove_prefix(3);
  ResolverAnswer read;
  AnswerError error = AnswerError::wrong_type;
  switch (form_of(content_type)) {
    case Form::json: error = read_json(body, now, read); break;
    case Form::text: error = read_url(body.substr(0, body.find_first_of("\r\n")), read.url); break;
    case Form::other: break;
  }
  if (error != AnswerError::none) return error;
  if (read.expires == 0) read.expires = url_expiry(read.url, now);
  answer = std::move(read);
  return AnswerError::none;
}

std::uint64_t url_expiry(const Url &url, std::uint64_t now) {
  Expiry expiry(now);
  for (const QueryArgument &argument : split_query(url.query())) {
    const std::string value = percent_decode(argument.value, false);
    if (names_expiry(percent_decode(argument.name, false))) expiry.consider(value);
    // Akamai's tokens: hdnts=st=1~exp=2~acl=/*~hmac=…
    std::string_view rest = value;
    while (rest.find('=') != rest.npos) {
      std::size_t end = std::min(rest.find('~'), rest.size());
      std::string_view field = rest.substr(0, end);
      if (starts_with(field, "exp=")) expiry.consider(field.substr(4));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }
  return expiry.best();
}

}  // namespace hls
