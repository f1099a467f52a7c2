#include "variables.h"

#include <algorithm>

#include "attribute_list.h"
#include "base64url.h"
#include "link.h"
#include "varint.h"

namespace hls {

namespace {

bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

// What put_text() makes of a text that encode() can hold.
std::size_t encoded_size(std::string_view text) { return text.size() + (text.size() < 0x80 ? 1 : 2); }

// The name of the reference that `text`, which begins with "{$", begins with; empty: there is none.
std::string_view reference_name(std::string_view text) {
  std::size_t end = 2;
  while (end < text.size() && is_name_char(text[end])) ++end;
  return end < text.size() && text[end] == '}' ? text.substr(2, end - 2) : std::string_view();
}

}  // namespace

bool Variables::is_name(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_name_char);
}

bool Variables::define(std::string_view name, std::string_view value) {
  auto old = values_.find(name);
  std::size_t size = size_ + encoded_size(value);
  if (old == values_.end()) size += encoded_size(name);
  else size -= encoded_size(old->second);
  if (base64url_length(size) > LinkWriter::kMaxVariables) return false;

  if (old == values_.end()) values_.emplace(name, value);
  else old->second = value;
  size_ = size;
  return true;
}

void Variables::forget(std::string_view name) {
  auto old = values_.find(name);
  if (old == values_.end()) return;
  size_ -= encoded_size(old->first) + encoded_size(old->second);
  values_.erase(old);
}

Definition Variables::read_definition(std::string_view list) {
  Definition d;
  AttributeList reader(list);
  Attribute attribute;
  while (reader.next(attribute)) {
    std::optional<std::string_view> *part = nullptr;
    if (attribute.name == "NAME") part = &d.name;
    else if (attribute.name == "VALUE") part = &d.value;
    else if (attribute.name == "IMPORT") part = &d.import;
    else if (attribute.name == "QUERYPARAM") part = &d.query_parameter;
    if (!part) continue;
    if (*part) d.ambiguous = true;
    *part = attribute.value;
  }
  if (d.name.has_value() + d.import.has_value() + d.query_parameter.has_value() > 1) d.ambiguous = true;
  if (!d.ambiguous) return d;

  reader = AttributeList(list);
  while (reader.next(attribute)) {
    if (attribute.name == "NAME" || attribute.name == "IMPORT" || attribute.name == "QUERYPARAM") {
      forget(attribute.value);
    }
  }
  d = Definition();
  d.ambiguous = true;
  return d;
}

const std::string *Variables::find(std::string_view name) const {
  auto found = values_.find(name);
  return found == values_.end() ? nullptr : &found->second;
}

Expansion Variables::expand(std::string_view text, std::size_t limit, std::string &to) const {
  limit += to.size();
  while (!text.empty()) {
    std::size_t start = std::min(text.find("{$"), text.size());
    if (limit - to.size() < start) return Expansion::too_long;
    to.append(text, 0, start);
    text.remove_prefix(start);
    if (text.empty()) break;

    std::string_view name = reference_name(text);
    const std::string *value = name.empty() ? nullptr : find(name);
    if (!name.empty() && !value) return Expansion::unknown_variable;
    std::string_view piece = value ? std::string_view(*value) : text.substr(0, 2);
    if (limit - to.size() < piece.size()) return Expansion::too_long;
    to.append(piece);
    text.remove_prefix(value ? name.size() + 3 : 2);
  }
  return Expansion::ok;
}

std::string Variables::encode() const {
  std::string bytes;
  bytes.reserve(size_);
  for (const auto &[name, value] : values_) {
    put_text(bytes, name);
    put_text(bytes, value);
  }
  return base64url_encode(bytes);
}

bool Variables::decode(std::string_view text) {
  std::string bytes;
  bool ok = text.size() <= LinkWriter::kMaxVariables && base64url_decode(text, bytes) && decode_bytes(bytes);
  if (!ok) *this = Variables();
  return ok;
}

bool Variables::decode_bytes(std::string_view bytes) {
  *this = Variables();
  std::string_view before;
  while (!bytes.empty()) {
    std::string_view name, value;
    if (!take_text(bytes, name) || !take_text(bytes, value)) return false;
    if (!is_name(name) || name <= before || !define(name, value)) return false;
    before = name;
  }
  return true;
}

}  // namespace hls
