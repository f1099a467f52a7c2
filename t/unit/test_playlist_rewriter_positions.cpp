// Where a segment or part stands: its media sequence number (RFC 8216bis 4.4.3.2) and part index (4.4.4.9),
// by which its successor is found when its URL has died.

#include "playlist_fixture.h"

using fixture::Case;

namespace {

#define UP "https://up.example/live/ch1/"
#define MEDIA "#EXTM3U\n#EXT-X-TARGETDURATION:4\n"

const std::vector<Case> kCases = {
    {"4.4.3.2 counts from 0", MEDIA "a.ts\nb.ts\n",
     MEDIA "[media " UP "a.ts at=0]\n[media " UP "b.ts at=1]\n"},
    {"4.4.3.2 counts from EXT-X-MEDIA-SEQUENCE", MEDIA "#EXT-X-MEDIA-SEQUENCE: 41 \na.ts\nb.ts\n",
     MEDIA "#EXT-X-MEDIA-SEQUENCE: 41 \n[media " UP "a.ts at=41]\n[media " UP "b.ts at=42]\n"},
    {"4.4.3.2 EXT-X-MEDIA-SEQUENCE must stand before the first segment",
     MEDIA "a.ts\n#EXT-X-MEDIA-SEQUENCE:41\nb.ts\n",
     MEDIA "[media " UP "a.ts at=0]\n#EXT-X-MEDIA-SEQUENCE:41\n[media " UP "b.ts at=1]\n"},
    {"4.4.3.2 no number", MEDIA "#EXT-X-MEDIA-SEQUENCE:x\na.ts\n",
     MEDIA "#EXT-X-MEDIA-SEQUENCE:x\n[media " UP "a.ts at=0]\n"},
    {"4.4.3.2 the largest number", MEDIA "#EXT-X-MEDIA-SEQUENCE:18446744073709551614\na.ts\nb.ts\nc.ts\n",
     MEDIA "#EXT-X-MEDIA-SEQUENCE:18446744073709551614\n[media " UP "a.ts at=18446744073709551614]\n[media "
           UP
           "b.ts at=18446744073709551615]\n[media " UP "c.ts at=18446744073709551615]\n"},
    {"4.4.3.2 one more than the largest number", MEDIA "#EXT-X-MEDIA-SEQUENCE:18446744073709551616\na.ts\n",
     MEDIA "#EXT-X-MEDIA-SEQUENCE:18446744073709551616\n[media " UP "a.ts at=18446744073709551615]\n"},
    {"4.4.3.2 numbers beyond 64 bits", MEDIA "#EXT-X-MEDIA-SEQUENCE:99999999999999999999999\na.ts\n",
     MEDIA "#EXT-X-MEDIA-SEQUENCE:99999999999999999999999\n[media " UP "a.ts at=18446744073709551615]\n"},
    {"4.4.5.2 EXT-X-SKIP stands for segments", MEDIA "#EXT-X-MEDIA-SEQUENCE:10\n"
     "#EXT-X-SKIP:SKIPPED-SEGMENTS=5\na.ts\n",
     MEDIA "#EXT-X-MEDIA-SEQUENCE:10\n#EXT-X-SKIP:SKIPPED-SEGMENTS=5\n[media " UP "a.ts at=15]\n"},
    {"4.4.5.2 EXT-X-SKIP before EXT-X-MEDIA-SEQUENCE",
     MEDIA "#EXT-X-SKIP:SKIPPED-SEGMENTS=5\n#EXT-X-MEDIA-SEQUENCE:10\na.ts\n",
     MEDIA "#EXT-X-SKIP:SKIPPED-SEGMENTS=5\n#EXT-X-MEDIA-SEQUENCE:10\n[media " UP "a.ts at=15]\n"},
    {"4.4.5.2 an absurd number of skipped segments",
     MEDIA "#EXT-X-MEDIA-SEQUENCE:10\n#EXT-X-SKIP:SKIPPED-SEGMENTS=18446744073709551615\na.ts\n",
     MEDIA "#EXT-X-MEDIA-SEQUENCE:10\n#EXT-X-SKIP:SKIPPED-SEGMENTS=18446744073709551615\n[media " UP
           "a.ts at=18446744073709551615]\n"},
    {"4.4.4.7 a gap and what is not fetched over HTTP are segments, too",
     MEDIA "#EXT-X-GAP\na.ts\ndata:,x\nhttp://\nb.ts\n",
     MEDIA "#EXT-X-GAP\n[media " UP "a.ts at=0]\ndata:,x\n[media unusable]\n[media " UP "b.ts at=3]\n"},
    {"4.4.4.2 a byte range has no position but counts",
     MEDIA "#EXT-X-BYTERANGE:9@0\na.ts\n#EXTINF:4,\n#EXT-X-BYTERANGE:9\na.ts\nb.ts\n",
     MEDIA "#EXT-X-BYTERANGE:9@0\n[media " UP "a.ts]\n#EXTINF:4,\n#EXT-X-BYTERANGE:9\n[media " UP
           "a.ts]\n[media " UP "b.ts at=2]\n"},
    {"4.4.4.9 parts belong to the segment behind them",
     MEDIA "#EXT-X-MEDIA-SEQUENCE:7\n#EXT-X-PART:URI=\"7.0\"\n#EXT-X-PART:URI=\"7.1\"\n#EXTINF:4,\n7.ts\n"
           "#EXT-X-PART:URI=\"8.0\"\n#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"8.1\"\n",
     MEDIA "#EXT-X-MEDIA-SEQUENCE:7\n#EXT-X-PART:URI=\"[media " UP "7.0 at=7.0]\"\n#EXT-X-PART:URI=\"[media "
           UP
           "7.1 at=7.1]\"\n#EXTINF:4,\n[media " UP "7.ts at=7]\n#EXT-X-PART:URI=\"[media " UP
           "8.0 at=8.0]\"\n#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"[media " UP "8.1 at=8.1]\"\n"},
    {"4.4.4.9 byte-range parts count without a position",
     MEDIA "#EXT-X-PART:URI=\"s\",BYTERANGE=\"9@0\"\n#EXT-X-PART:BYTERANGE=\"9\",URI=\"s\"\n"
           "#EXT-X-PART:URI=\"p\"\n",
     MEDIA "#EXT-X-PART:URI=\"[media " UP "s]\",BYTERANGE=\"9@0\"\n#EXT-X-PART:BYTERANGE=\"9\",URI=\"[media "
           UP
           "s]\"\n#EXT-X-PART:URI=\"[media " UP "p at=0.2]\"\n"},
    {"4.4.5.3 the hint gets the position of the next part, each time it is read",
     MEDIA "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"p\"\n#EXT-X-PRELOAD-HINT:TYPE=MAP,URI=\"m\"\n"
           "#EXT-X-PART:URI=\"p\"\n",
     MEDIA "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"[media " UP "p at=0.0]\"\n#EXT-X-PRELOAD-HINT:TYPE=MAP,"
           "URI=\"[media "
           UP "m]\"\n#EXT-X-PART:URI=\"[media " UP "p at=0.0]\"\n"},
    {"4.4.5.3 byte-range hints",
     MEDIA "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"p\",BYTERANGE-START=9\n"
           "#EXT-X-PRELOAD-HINT:BYTERANGE-LENGTH=9,TYPE=PART,URI=\"p\"\n",
     MEDIA "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"[media " UP "p]\",BYTERANGE-START=9\n"
           "#EXT-X-PRELOAD-HINT:BYTERANGE-LENGTH=9,TYPE=PART,URI=\"[media " UP "p]\"\n"},
    {"4.4.5.3 hints of other types have no position",
     MEDIA "#EXT-X-PRELOAD-HINT:TYPE=KEY,URI=\"k\"\n#EXT-X-PRELOAD-HINT:URI=\"o\"\n",
     MEDIA "#EXT-X-PRELOAD-HINT:TYPE=KEY,URI=\"[media " UP "k]\"\n#EXT-X-PRELOAD-HINT:URI=\"[media "
           UP "o]\"\n"},
    {"prefetched segments have no position and do not count", MEDIA "#EXT-X-PREFETCH:n.ts\na.ts\n",
     MEDIA "#EXT-X-PREFETCH:[media " UP "n.ts]\n[media " UP "a.ts at=0]\n"},
    {"images have one", MEDIA "#EXT-X-IMAGES-ONLY\n#EXT-X-MEDIA-SEQUENCE:3\na.jpg\n",
     MEDIA "#EXT-X-IMAGES-ONLY\n#EXT-X-MEDIA-SEQUENCE:3\n[media " UP "a.jpg at=3]\n"},
    {"maps and keys have none", MEDIA "#EXT-X-MAP:URI=\"m\"\n#EXT-X-KEY:URI=\"k\"\n",
     MEDIA "#EXT-X-MAP:URI=\"[media " UP "m]\"\n#EXT-X-KEY:URI=\"[media " UP "k]\"\n"},
};

std::string rewritten(std::string text, std::string base) {
  Case c{"", text, "", {}, 0, base};
  return fixture::rewrite(c).bytes;
}

// Tokens rotate in host and query: the parent is the playlist's path alone.
void check_parent() {
  const std::string text = MEDIA "https://o.example/a.ts\n";
  std::string link = rewritten(text, "https://up.example/live/index.m3u8?t=1");
  tap::equal("host and query", rewritten(text, "http://other.example:81/live/index.m3u8?t=2"), link);
  tap::check(rewritten(text, "https://up.example/live/index2.m3u8?t=1") != link, "file name");
  tap::check(rewritten(text, "https://up.example/live2/index.m3u8?t=1") != link, "directory");
}

void test_parent(void **) {
  check_parent();
  TAP_FINISH();
}

// RFC 8216bis 6.2.5.1: the part that a delta update lists is the one that the full playlist hinted at, and
// the segments that both list have equal links.
void check_delta_update() {
  const std::string base = UP "ll.m3u8";
  std::string before = rewritten("#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:100\n"
      "#EXT-X-MAP:URI=\"i.mp4\"\n"
                                 "100.mp4\n101.mp4\n102.mp4\n#EXT-X-PART:URI=\"103.0.mp4\"\n"
                                 "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"103.1.mp4\"\n", base);
  std::string after = rewritten("#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:101\n"
                                "#EXT-X-SKIP:SKIPPED-SEGMENTS=1\n102.mp4\n#EXT-X-PART:URI=\"103.0.mp4\"\n"
                                "#EXT-X-PART:URI=\"103.1.mp4\"\n#EXT-X-PRELOAD-HINT:TYPE=PART,"
                                "URI=\"103.2.mp4\"\n",
                                base);
  for (std::string_view name : {"/102.mp4?", "/103.0.mp4?", "/103.1.mp4?"}) {
    auto link = [name](const std::string &text) {
      std::size_t at = text.find(name);
      return text.substr(at, std::min(text.find('"', at), text.find('\n', at)) - at);
    };
    tap::equal(name, link(after), link(before));
  }
}

void test_delta_update(void **) {
  check_delta_update();
  TAP_FINISH();
}

}  // namespace

int main() {
  return fixture::run(kCases, {cmocka_unit_test(test_parent), cmocka_unit_test(test_delta_update)});
}
