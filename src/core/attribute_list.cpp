#include "attribute_list.h"

#include <cstring>

namespace hls {

namespace {

std::string_view view(const char *from, const char *to) {
  return {from, static_cast<std::size_t>(to - from)};
}

const char *skip_blanks(const char *p, const char *end) {
  while (p != end && is_blank(*p)) ++p;
  return p;
}

// The '"' at or after `p`, or `end`.
const char *find_quote(const char *p, const char *end) {
  const void *quote = p == end ? nullptr : std::memchr(p, '"', static_cast<std::size_t>(end - p));
  return quote ? static_cast<const char *>(quote) : end;
}

}  // namespace

std::string_view trim_blanks(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

bool AttributeList::next(Attribute &attribute) {
  if (!next_name(attribute.name)) return false;
  read_value(attribute);
  return true;
}

// A name is the token right before a '='; tokens without one, and quoted text that belongs to no name,
// are passed over.
bool AttributeList::next_name(std::string_view &name) {
  while (true) {
    while (at_ != end_ && (is_blank(*at_) || *at_ == ',')) ++at_;
    const char *from = at_;
    while (at_ != end_ && *at_ != '=' && *at_ != ',' && *at_ != '"' && !is_blank(*at_)) ++at_;
    name = view(from, at_);
    at_ = skip_blanks(at_, end_);
    if (at_ == end_) return false;
    if (*at_ == '=') {
      ++at_;
      return true;
    }
    if (*at_ == '"') {
      at_ = find_quote(at_ + 1, end_);
      if (at_ != end_) ++at_;
    }
  }
}

void AttributeList::read_value(Attribute &attribute) {
  at_ = skip_blanks(at_, end_);
  const char *from = at_;
  attribute.quoted = at_ != end_ && *at_ == '"';
  attribute.unterminated = false;
  if (!attribute.quoted) {
    while (at_ != end_ && *at_ != ',' && !is_blank(*at_)) ++at_;
    attribute.value = view(from, at_);
    return;
  }
  at_ = find_quote(++from, end_);
  attribute.value = view(from, at_);
  attribute.unterminated = at_ == end_;
  if (at_ != end_) ++at_;
}

}  // namespace hls
