#include "link_record.h"

#include <set>

#include "base64url.h"
#include "link_oracle.h"

#include "tap_main.h"

using namespace std::string_literals;
using hls::read_record;
using hls::Record;
using hls::Url;

namespace {

Url url_of(std::string_view text) {
  Url url;
  tap::check(hls::parse_url(text, url), "a URL: " + std::string(text.substr(0, 80)));
  return url;
}

std::string file_of(const Url &url, bool name_shown) {
  std::string record = "stale";
  hls::record_file(url, name_shown, record);
  return record;
}

struct Case {
  std::string url;
  bool name_shown;
  std::string directory, file;   // by hand
};

const Case kCases[] = {
    // 1 + 1 + 1 + 1 + 1 bytes and one zero, then 4 and two zeros, then none
    {"http://h/a.ts", true, "\x10\x01h\x01/\0"s, ""},
    {"https://h/a.ts", true, "\x11\x01h\x01/\0"s, ""},
    {"http://ho/a.ts", true, "\x10\x02ho\x01/"s, ""},
    {"http://h/dd/a.ts", true, "\x10\x01h\x04/dd/\0"s, ""},
    {"http://h/d/a.ts", true, "\x10\x01h\x03/d/\0\0"s, ""},
    {"http://h/a.ts?", true, "\x10\x01h\x01/\0"s, "\x01"},
    {"http://h/a.ts?x=1&y=%2F+/?", true, "\x10\x01h\x01/\0"s, "\x01x=1&y=%2F+/?"},
    {"http://h/a%20b", false, "\x10\x01h\x01/\0"s, "\x02\x05""a%20b"},
    {"http://h/a%20b?", false, "\x10\x01h\x01/\0"s, "\x03\x05""a%20b"},
    {"http://h/a%20b?q", false, "\x10\x01h\x01/\0"s, "\x03\x05""a%20bq"},
    {"http://h/?q", false, "\x10\x01h\x01/\0"s, "\x03\0q"s},
    {"http://h/", false, "\x10\x01h\x01/\0"s, "\x02\0"s},
    {"https://u:p@[2001:DB8::1]:8080/a//b%2Fc/n", true,
     "\x11\x16u:p@[2001:db8::1]:8080\x0A/a//b%2Fc/\0"s, ""},
    {"http://h/" + std::string(198, 'd') + "/" + std::string(128, 'n'), false,
     "\x10\x01h\xC8\x01/" + std::string(198, 'd') + "/\0\0"s, "\x02\x80\x01" + std::string(128, 'n')},
};

void check_layout() {
  for (const Case &c : kCases) {
    const Url url = url_of(c.url);
    tap::equal("directory of " + c.url, hls::record_directory(url), oracle::base64url(c.directory));
    tap::equal("file of " + c.url, file_of(url, c.name_shown), c.file);
    tap::check(c.directory.size() % 3 == 0, "the parts' texts can be put together");
  }
}

void check_reading() {
  for (const Case &c : kCases) {
    const Url url = url_of(c.url);
    const std::string bytes = c.directory + c.file;
    Record record;
    record.name = "stale", record.has_query = true, record.query = "stale";
    if (!tap::check(read_record(bytes, record), "read: " + c.url)) continue;
    tap::check(record.https == url.https() && record.has_query == url.has_query(), "flags of " + c.url);
    tap::equal("authority", record.authority, url.authority());
    tap::equal("directory", record.directory, url.directory());
    tap::equal("query", record.query, url.query());
    tap::check(record.name.has_value() != c.name_shown, "a name, or none: " + c.url);
    tap::equal("name", record.name.value_or(url.name()), url.name());
  }
}

void check_refused() {
  struct {
    const char *why;
    std::string bytes;
  } const refused[] = {
      {"empty", ""},
      {"no scheme of ours", "\x12\x01h\x01/\0"s},
      {"scheme 0", "\x00\x01h\x01/\0"s},
      {"nothing behind the scheme", "\x10"},
      {"authority cut off", "\x10\x05h"},
      {"no directory", "\x10\x01h"},
      {"directory cut off", "\x10\x01h\x02/"},
      {"padded length", "\x10\x81\x00h\x01/"s},
      {"no zeros", "\x10\x01h\x01/"},
      {"too few zeros", "\x10\x01h\x03/d/\0"s},
      {"another byte for a zero", "\x10\x01h\x01/\x01"},
      {"another byte for the second zero", "\x10\x01h\x03/d/\0\x01"s},
      {"more zeros than it takes", "\x10\x01h\x01/\0\0"s},
      {"three zeros more", "\x10\x01h\x01/\0\0\0\0"s},
      {"no flags, and yet more", "\x10\x01h\x01/\0\0q"s},
      {"unknown flag", "\x10\x01h\x01/\0\x04"s},
      {"unknown flag beside a known one", "\x10\x01h\x01/\0\x81q"s},
      {"no length of the name", "\x10\x01h\x01/\0\x02"s},
      {"name cut off", "\x10\x01h\x01/\0\x02\x02n"s},
      {"padded length of the name", "\x10\x01h\x01/\0\x02\x81\0n"s},
      {"a query without its flag", "\x10\x01h\x01/\0\x02\x01nq"s},
  };
  for (const auto &c : refused) {
    Record record;
    tap::check(!read_record(c.bytes, record), c.why);
  }
}

// Every prefix and every changed byte of a record: refused, or what record_...() write for another URL.
void check_one_form() {
  const std::string whole = "\x11\x01h\x03/d/\0\0\x03\x05""a%20bq=1"s;
  std::set<std::string> variants;
  for (std::size_t i = 0; i < whole.size(); i++) {
    variants.insert(whole.substr(0, i));
    for (int c = 0; c < 256; c++) {
      std::string changed = whole;
      changed[i] = static_cast<char>(c);
      variants.insert(changed);
    }
  }
  unsigned wrong = 0, read = 0;
  for (const std::string &bytes : variants) {
    Record record;
    Url url;
    if (!read_record(bytes, record)) continue;
    if (!url.assign(record.https, record.authority, record.directory, record.name.value_or("a.ts"),
                    record.has_query, record.query)) {
      continue;
    }
    read++;
    const std::string again = hls::record_directory(url) + oracle::base64url(file_of(url, !record.name));
    wrong += again != oracle::base64url(bytes);
  }
  tap::equal("read what is not written", wrong, 0);
  tap::check(read > 200, "some of them are other URLs");
}

// The links of a directory share the text of its record.
void check_shared_text() {
  for (std::size_t n = 0; n < 9; n++) {
    const std::string directory = "http://h/" + std::string(n, 'd') + "/";
    const std::string text = hls::record_directory(url_of(directory + "a.ts"));
    for (const char *name : {"", "b%20c", "a.ts?tok=1", "x?"}) {
      const Url url = url_of(directory + name);
      const std::string all = hls::record_directory(url) + hls::base64url_encode(file_of(url, false));
      tap::equal("the same beginning", all.substr(0, text.size()), text);
      std::string bytes;
      Record record;
      tap::check(hls::base64url_decode(all, bytes) && read_record(bytes, record), "one base64url text");
    }
  }
}

void test_layout(void **) { check_layout(); TAP_FINISH(); }
void test_reading(void **) { check_reading(); TAP_FINISH(); }
void test_refused(void **) { check_refused(); TAP_FINISH(); }
void test_one_form(void **) { check_one_form(); TAP_FINISH(); }
void test_shared_text(void **) { check_shared_text(); TAP_FINISH(); }

}  // namespace

TAP_MAIN(cmocka_unit_test(test_layout), cmocka_unit_test(test_reading), cmocka_unit_test(test_refused),
         cmocka_unit_test(test_one_form), cmocka_unit_test(test_shared_text))
