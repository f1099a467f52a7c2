// Lines of playlists, and where the input ends them.

#include <string>

#include "playlist_line.h"

#include "tap_main.h"

namespace {

std::string show(std::string_view text) {
  hls::PlaylistLine line = hls::read_playlist_line(text);
  if (line.uri) return "uri <" + std::string(line.value) + ">";
  if (!line.tag) return "nothing";
  return std::string(line.tag->name) + " <" + std::string(line.value) + ">";
}

void check_lines() {
  tap::equal("a URI", show(" \ta b.ts \t"), "uri <a b.ts>");
  tap::equal("blank", show(" \t"), "nothing");
  tap::equal("a comment", show("# EXTINF:1"), "nothing");
  tap::equal("a tag", show("#EXTINF:6,x:y"), "EXTINF <6,x:y>");
  tap::equal("blanks before it", show(" #EXT-X-GAP"), "EXT-X-GAP <>");
  tap::equal("blanks behind it", show("#EXT-X-ENDLIST \t"), "EXT-X-ENDLIST <>");
  tap::equal("a longer name", show("#EXT-X-KEYS:METHOD=NONE"), "nothing");
  tap::equal("a name in lower case", show("#EXTinf:1"), "nothing");
  tap::equal("a blank before the colon", show("#EXTINF :1"), "nothing");
  tap::equal("a long unknown name", show("#EXT-" + std::string(200, 'X') + ":1"), "nothing");
  tap::check(hls::read_decimal(" 12x") == 12 && hls::read_decimal("x") == 0, "decimals");
  tap::check(hls::read_decimal("18446744073709551616") == UINT64_MAX, "a decimal that does not fit");
  tap::check(hls::add_saturated(UINT64_MAX, 1) == UINT64_MAX && hls::add_saturated(1, 2) == 3, "sums");
}

/// Lines in brackets, a long one's beginning in parentheses; fed `step` bytes at a time.
std::string split(std::string_view input, std::size_t step, std::size_t limit = 4) {
  hls::LineReader reader(limit);
  std::string shown;
  while (!input.empty()) {
    std::string piece(input.substr(0, step));
    input.remove_prefix(piece.size());
    for (std::string_view in = piece; !in.empty();) {
      hls::LineReader::Event event = reader.take(in);
      if (event == hls::LineReader::overlong) shown += "(" + std::string(reader.text()) + ")";
      if (event != hls::LineReader::line) continue;
      shown += "[" + std::string(reader.text()) + "]";
      reader.clear();
    }
  }
  return shown + std::string(reader.text());
}

void check_reader() {
  for (std::size_t step : {1, 2, 3, 100}) {
    tap::equal("line ends", split("a\nb\r\nc\r\rd\n\n\re", step), "[a][b][c][][d][][]e");
    tap::equal("LF CR", split("a\n\rb", step), "[a][]b");
    tap::equal("as long as may be", split("abcd\r\nabcd", step), "[abcd]abcd");
    tap::equal("longer", split("abcde\nf\nabcdefghijk\r\nl", step), "(abcd)[abcd][f](abcd)[abcd]l");
    tap::equal("longer, at the end", split("abcdef", step), "(abcd)abcd");
  }
}

void test_lines(void **) {
  check_lines();
  TAP_FINISH();
}

void test_reader(void **) {
  check_reader();
  TAP_FINISH();
}

}  // namespace

TAP_MAIN(cmocka_unit_test(test_lines), cmocka_unit_test(test_reader))
