#include "url_template.h"

#include <algorithm>

#include "percent.h"

namespace hls {
namespace {

bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7F; });
}

std::string known_names(const std::vector<std::string> &names) {
  std::string text;
  for (const std::string &name : names) text += (text.empty() ? "$" : ", $") + name;
  return text.empty() ? "there are none here" : "known: " + text;
}

// Reads what follows a '$' at the front of `text` and cuts it off: the name, or empty for "$$".
bool take_name(std::string_view &text, std::string_view &name, std::string &reason) {
  name = {};
  if (!text.empty() && text.front() == '$') {
    text.remove_prefix(1);
    return true;
  }
  bool braces = !text.empty() && text.front() == '{';
  std::size_t begin = braces ? 1 : 0, end = begin;
  while (end < text.size() && is_name_char(text[end])) end++;
  name = text.substr(begin, end - begin);
  if (braces && (end == text.size() || text[end] != '}')) {
    reason = "\"${\" wants a name and '}' after it";
    return false;
  }
  if (name.empty()) {
    reason = "'$' wants a name after it; a plain '$' is written \"$$\"";
    return false;
  }
  text.remove_prefix(braces ? end + 1 : end);
  return true;
}

// The path segment of `url` around [begin, end) is "." or "..".
bool in_dot_segment(std::string_view url, std::size_t begin, std::size_t end) {
  std::string_view before = url.substr(0, begin);
  std::size_t slash = before.rfind('/');
  if (slash == before.npos || before.find_first_of("?#") != before.npos) return false;
  std::size_t stop = std::min(url.find_first_of("/?#", end), url.size());
  std::string_view segment = url.substr(slash + 1, stop - slash - 1);
  return segment == "." || segment == "..";
}

}  // namespace

bool UrlTemplate::parse(std::string_view text, const std::vector<std::string> &names, std::string &reason) {
  pieces_.clear();
  if (has_control(text)) {
    reason = "there is a control character in it";
    return false;
  }
  std::vector<Piece> pieces;
  std::string literal;
  while (!text.empty()) {
    std::size_t dollar = text.find('$');
    literal += text.substr(0, dollar);
    if (dollar == text.npos) break;
    text.remove_prefix(dollar + 1);
    std::string_view name;
    if (!take_name(text, name, reason)) return false;
    if (name.empty()) {
      literal += '$';
      continue;
    }
    auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) {
      reason = "unknown variable \"$" + std::string(name) + "\"; " + known_names(names);
      return false;
    }
    if (!literal.empty()) pieces.push_back({std::move(literal), -1});
    literal.clear();
    pieces.push_back({{}, static_cast<int>(found - names.begin())});
  }
  if (!literal.empty()) pieces.push_back({std::move(literal), -1});
  pieces_ = std::move(pieces);
  return true;
}

std::optional<std::string> UrlTemplate::expand(const std::function<std::string_view(std::size_t)> &value,
                                               bool encode) const {
  std::string text;
  std::vector<std::pair<std::size_t, std::size_t>> values;   // where they stand in `text`
  for (const Piece &piece : pieces_) {
    if (piece.name < 0) {
      text += piece.literal;
      continue;
    }
    std::string_view raw = value(static_cast<std::size_t>(piece.name));
    std::size_t begin = text.size();
    if (encode) text += percent_encode(raw);
    else if (has_control(raw)) return std::nullopt;
    else text += raw;
    values.emplace_back(begin, text.size());
  }
  if (!encode) return text;
  // Looked at when all is in place: several values, or a value and a literal, may make one segment.
  for (auto [begin, end] : values) {
    if (in_dot_segment(text, begin, end)) return std::nullopt;
  }
  return text;
}

bool UrlTemplate::constant() const {
  return std::all_of(pieces_.begin(), pieces_.end(), [](const Piece &piece) { return piece.name < 0; });
}

}  // namespace hls
