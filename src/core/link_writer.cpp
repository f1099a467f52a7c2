#include <openssl/sha.h>

#include <cstring>

#include "base64url.h"
#include "host_patterns.h"
#include "link.h"
#include "link_mac.h"
#include "link_name.h"
#include "link_record.h"

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"   // see link_keys.cpp

namespace hls {

namespace {

char *put(char *to, std::string_view text) {
  std::memcpy(to, text.data(), text.size());
  return to + text.size();
}

char *put_number(char *to, std::uint64_t n) {
  char digits[20];
  char *p = digits + sizeof(digits);
  do *--p = static_cast<char>('0' + n % 10); while (n /= 10);
  return put(to, {p, static_cast<std::size_t>(digits + sizeof(digits) - p)});
}

// Four characters of hash, then the numbers: "Ab3x.1204" or "Ab3x.1204.2".
char *put_position(char *to, const Position &at) {
  char parent[3] = {static_cast<char>(at.parent >> 16), static_cast<char>(at.parent >> 8),
                    static_cast<char>(at.parent)};
  to = base64url_encode(to, {parent, sizeof(parent)});
  *to++ = '.';
  to = put_number(to, at.sequence);
  if (at.part < 0) return to;
  *to++ = '.';
  return put_number(to, static_cast<std::uint64_t>(at.part));
}

std::string_view origin_and_directory(const Url &url) {
  return url.text().substr(0, url.directory().data() + url.directory().size() - url.text().data());
}

}  // namespace

LinkWriter::LinkWriter(const LinkScope &scope) : scope_(scope) {
  for (LinkKind kind : {LinkKind::playlist, LinkKind::media}) {
    bool media = kind == LinkKind::media;
    Kind &k = kinds_[media];
    k.exp = media ? scope.media_exp : scope.playlist_exp;
    k.path = (media ? "/media/" : "/playlist/") + scope.stream + '/';
    if (scope.end) k.tail = "&end=" + std::to_string(scope.end);
    k.tail += "&exp=" + std::to_string(k.exp);
  }
}

const LinkWriter::Directory &LinkWriter::directory_of(const Url &url, LinkKind kind) {
  std::string_view directory = origin_and_directory(url);
  for (const Directory &d : directories_) {
    if (d.kind == kind && d.url == directory) return d;
  }

  Directory &d = directories_[next_directory_];
  next_directory_ = (next_directory_ + 1) % directories_.size();
  d.url.clear();   // stays free should one of the following throw
  d.kind = kind;
  d.record = "?u=" + record_directory(url);
  d.tail = of(kind).tail;
  d.is_signed = !scope_.hosts || scope_.hosts->match(url.host(), url.port());
  if (d.is_signed) d.tail.append("&sig=").append(scope_.key->id());
  d.mac = mac_shared(*scope_.key, {kind, of(kind).exp, scope_.end, scope_.bind, scope_.stream, directory,
                                   directory.size() - url.directory().size()});
  d.url = directory;
  return d;
}

bool LinkWriter::write(Output &out, const Url &url, UriKind uri_kind, const Position *at,
                       std::string_view variables, bool absolute) {
  if (url.text().size() > kMaxUrl || variables.size() > kMaxVariables) return false;

  char buffer[kMaxLinkName];
  LinkName name = link_name(uri_kind, url.name(), buffer);
  const Kind &kind = of(name.kind);
  const Directory &directory = directory_of(url, name.kind);
  record_file(url, name.same, suffix_);
  if (name.kind == LinkKind::media) variables = {};

  std::size_t room = kind.path.size() + name.text.size() + directory.record.size() +
                     base64url_length(suffix_.size()) + variables.size() + directory.tail.size() + 128;
  if (room > Output::kMaxReserve) return false;

  out.append(absolute ? scope_.public_base : scope_.base);
  char *p = out.reserve(room);
  p = put(p, kind.path);
  p = put(p, name.text);
  p = put(p, directory.record);
  if (!suffix_.empty()) p = base64url_encode(p, suffix_);
  if (!variables.empty()) p = put(put(p, "&v="), variables);
  if (at) p = put_position(put(p, "&at="), *at);
  p = put(p, directory.tail);
  if (directory.is_signed) {
    std::string_view true_name = url.name();
    mac_finish(*scope_.key, directory.mac,
               {name.text, name.same ? nullptr : &true_name, url.has_query(), url.query(), at, variables}, p);
    p += kMacChars;
  }
  out.advance_to(p);
  return true;
}

void LinkWriter::write_dead(Output &out, UriKind uri_kind, bool absolute) {
  char buffer[kMaxLinkName];
  LinkName name = link_name(uri_kind, "unusable", buffer);
  out.append(absolute ? scope_.public_base : scope_.base);
  out.append(of(name.kind).path);
  out.append(name.text);
}

std::uint32_t position_parent(const Url &playlist) {
  std::string_view path = playlist.path_and_query();
  if (playlist.has_query()) path.remove_suffix(playlist.query().size() + 1);
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256_CTX state;   // SHA256() looks its algorithm up by name
  SHA256_Init(&state);
  SHA256_Update(&state, path.data(), path.size());
  SHA256_Final(digest, &state);
  return static_cast<std::uint32_t>(digest[0]) << 16 | static_cast<std::uint32_t>(digest[1]) << 8 | digest[2];
}

std::uint64_t link_expiry(std::uint64_t now, std::uint64_t ttl, std::string_view stream,
                          std::uint64_t parent) {
  if (parent > now + ttl / 2) return parent;
  // Where in the window a stream's links expire: spread (FNV-1a), so that the episodes of a series, say,
  // do not all change at one moment.
  std::uint64_t shift = 0xcbf29ce484222325;
  for (char c : stream) shift = (shift ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  shift %= ttl;
  return (now + ttl - shift + ttl - 1) / ttl * ttl + shift;
}

}  // namespace hls
