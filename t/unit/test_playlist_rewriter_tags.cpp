// Where URIs stand in playlists: every tag of RFC 8216bis section 4.4, and those of vendors.

#include "playlist_fixture.h"

using fixture::Case;

namespace {

#define UP "https://up.example/live/ch1/"

// What makes a playlist a media playlist, without a URI.
#define MEDIA "#EXTM3U\n#EXT-X-TARGETDURATION:4\n"

Case same(std::string name, std::string text) { return {name, text, text}; }

// The kind shows in the file name that a link gets where upstream's has no extension.
Case named(std::string name, std::string playlist, std::string wanted) {
  Case c{name, playlist, wanted};
  c.names = true;
  return c;
}

const std::vector<Case> kCases = {
    // URI lines.
    {"4.4.6.2 URI line of EXT-X-STREAM-INF",
     "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nlow\n",
     "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n[playlist " UP "low]\n"},
    named("4.4.6.2 blank lines, comments and other tags stand between tag and URI line",
          "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n\n# low\n#EXT-X-OTHER\nlow.ts\nstray.ts\n",
          "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n\n# low\n#EXT-X-OTHER\n[playlist " UP
          "low.ts name=low.ts.m3u8]\n[playlist " UP "stray.ts name=stray.ts]\n"),
    {"4.4.6.2 EXT-X-STREAM-INF after EXT-X-STREAM-INF: the first has no URI",
     "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n#EXT-X-STREAM-INF:BANDWIDTH=2\nhigh.m3u8\n",
     "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n#EXT-X-STREAM-INF:BANDWIDTH=2\n[playlist " UP "high.m3u8]\n"},
    {"4.4.6.2 EXT-X-STREAM-INF has no URI attribute",
     "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,URI=\"no\"\nlow.m3u8\n",
     "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,URI=\"no\"\n[playlist " UP "low.m3u8]\n"},
    named("4.4.4 segments of a media playlist", MEDIA "#EXTINF:4,\na\n#EXTINF:4,\nb.ts\n",
          MEDIA "#EXTINF:4,\n[media " UP "a at=0 name=a.ts]\n#EXTINF:4,\n[media " UP
          "b.ts at=1 name=b.ts]\n"),
    {"4.4.4.1 segment without EXTINF", MEDIA "a.ts\n", MEDIA "[media " UP "a.ts at=0]\n"},
    {"4.4.4.7 segment with EXT-X-GAP", MEDIA "#EXTINF:4,\n#EXT-X-GAP\na.ts\n",
     MEDIA "#EXTINF:4,\n#EXT-X-GAP\n[media " UP "a.ts at=0]\n"},
    {"4.4.3.6 segment under EXT-X-I-FRAMES-ONLY",
     MEDIA "#EXT-X-I-FRAMES-ONLY\n#EXTINF:4,\n#EXT-X-BYTERANGE:9@0\na.ts\n",
     MEDIA "#EXT-X-I-FRAMES-ONLY\n#EXTINF:4,\n#EXT-X-BYTERANGE:9@0\n[media " UP "a.ts]\n"},

    // Tags of multivariant playlists.
    named("4.4.6.1 EXT-X-MEDIA", "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"x\",URI=\"en\"\n",
          "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"x\",URI=\"[playlist " UP
          "en name=en.m3u8]\"\n"),
    same("4.4.6.1 EXT-X-MEDIA without URI",
         "#EXTM3U\n#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID=\"c\",NAME=\"x\",INSTREAM-ID=\"CC1\"\n"),
    {"4.4.6.3 EXT-X-I-FRAME-STREAM-INF stands alone",
     "#EXTM3U\n#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI=\"i.m3u8\"\n"
     "#EXT-X-STREAM-INF:BANDWIDTH=1\n#EXT-X-I-FRAME-STREAM-INF:URI=\"j\",BANDWIDTH=1\nlow\n",
     "#EXTM3U\n#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI=\"[playlist " UP "i.m3u8]\"\n"
     "#EXT-X-STREAM-INF:BANDWIDTH=1\n#EXT-X-I-FRAME-STREAM-INF:URI=\"[playlist " UP "j]\",BANDWIDTH=1\n"
     "[playlist " UP "low]\n"},
    named("4.4.6.4 EXT-X-SESSION-DATA with a URI",
          "#EXTM3U\n#EXT-X-SESSION-DATA:DATA-ID=\"com.apple.hls.chapters\",URI=\"chapters\"\n"
          "#EXT-X-SESSION-DATA:DATA-ID=\"x\",FORMAT=RAW,URI=\"raw.json\"\n",
          "#EXTM3U\n#EXT-X-SESSION-DATA:DATA-ID=\"com.apple.hls.chapters\",URI=\"[media " UP
          "chapters name=chapters.json]\"\n"
          "#EXT-X-SESSION-DATA:DATA-ID=\"x\",FORMAT=RAW,URI=\"[media " UP "raw.json name=raw.json]\"\n"),
    same("4.4.6.4 the VALUE of EXT-X-SESSION-DATA is data",
         "#EXTM3U\n#EXT-X-SESSION-DATA:DATA-ID=\"x\",VALUE=\"https://up.example/v\"\n"),
    named("4.4.6.5 EXT-X-SESSION-KEY",
          "#EXTM3U\n#EXT-X-SESSION-KEY:METHOD=AES-128,URI=\"k\"\n",
          "#EXTM3U\n#EXT-X-SESSION-KEY:METHOD=AES-128,URI=\"[media " UP "k name=k.key]\"\n"),
    {"4.4.6.6 EXT-X-CONTENT-STEERING lines vanish with their ends",
     "#EXTM3U\r\n#EXT-X-CONTENT-STEERING:SERVER-URI=\"https://s.example/\",PATHWAY-ID=\"A\"\r\n#A\n"
     "  #EXT-X-CONTENT-STEERING:SERVER-URI=\"data:,{}\"\n#B\r#EXT-X-CONTENT-STEERING:SERVER-URI=\"x\"\r#C\n"
     "#EXT-X-CONTENT-STEERING:SERVER-URI=\"last",
     "#EXTM3U\r\n#A\n#B\r#C\n"},

    // Tags of media playlists.
    named("4.4.4.4 EXT-X-KEY",
          MEDIA "#EXT-X-KEY:METHOD=AES-128,URI=\"k\",IV=0x1\n#EXT-X-KEY:URI=\"k2.key\"\n",
          MEDIA "#EXT-X-KEY:METHOD=AES-128,URI=\"[media " UP "k name=k.key]\",IV=0x1\n"
          "#EXT-X-KEY:URI=\"[media " UP "k2.key name=k2.key]\"\n"),
    {"4.4.4.4 KEYFORMAT identity, wherever it stands",
     MEDIA "#EXT-X-KEY:METHOD=AES-128,URI=\"k\",KEYFORMAT=\"identity\",KEYFORMATVERSIONS=\"1\"\n"
           "#EXT-X-KEY:KEYFORMAT=\"identity\",METHOD=SAMPLE-AES,URI=\"k\"\n",
     MEDIA "#EXT-X-KEY:METHOD=AES-128,URI=\"[media " UP "k]\",KEYFORMAT=\"identity\","
           "KEYFORMATVERSIONS=\"1\"\n"
           "#EXT-X-KEY:KEYFORMAT=\"identity\",METHOD=SAMPLE-AES,URI=\"[media " UP "k]\"\n"},
    same("4.4.4.4 other KEYFORMATs name things for a DRM, even as https",
         MEDIA "#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"skd://id\",KEYFORMAT=\"com.apple.streamingkeydelivery\"\n"
               "#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"https://drm.example/id\","
               "KEYFORMAT=\"com.microsoft.playready\"\n"
               "#EXT-X-KEY:KEYFORMAT=\"urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed\",METHOD=SAMPLE-AES-CTR,"
               "URI=\"data:text/plain;base64,AAA=\"\n"
               "#EXT-X-SESSION-KEY:METHOD=SAMPLE-AES,URI=\"https://d.example/\","
               "KEYFORMAT=\"com.widevine\"\n"),
    {"4.4.4.4 of two KEYFORMATs players take either: one identity is enough",
     MEDIA "#EXT-X-KEY:METHOD=AES-128,KEYFORMAT=\"x\",URI=\"k\",KEYFORMAT=\"identity\"\n"
           "#EXT-X-KEY:KEYFORMAT=\"identity\",URI=\"k\",KEYFORMAT=\"x\"\n",
     MEDIA "#EXT-X-KEY:METHOD=AES-128,KEYFORMAT=\"x\",URI=\"[media " UP "k]\",KEYFORMAT=\"identity\"\n"
           "#EXT-X-KEY:KEYFORMAT=\"identity\",URI=\"[media " UP "k]\",KEYFORMAT=\"x\"\n"},
    same("4.4.4.4 METHOD=NONE", MEDIA "#EXT-X-KEY:METHOD=NONE,URI=\"https://up.example/k\"\n"),
    {"4.4.4.4 of two METHODs one that encrypts is enough",
     MEDIA "#EXT-X-KEY:METHOD=NONE,METHOD=AES-128,URI=\"k\"\n#EXT-X-KEY:METHOD=AES-128,METHOD=NONE,"
           "URI=\"k\"\n",
     MEDIA "#EXT-X-KEY:METHOD=NONE,METHOD=AES-128,URI=\"[media " UP "k]\"\n"
           "#EXT-X-KEY:METHOD=AES-128,METHOD=NONE,URI=\"[media " UP "k]\"\n"},
    {"4.4.4.4 several keys for one segment",
     MEDIA "#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"skd://i\",KEYFORMAT=\"com.apple.streamingkeydelivery\"\n"
           "#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"k\",KEYFORMAT=\"identity\"\na.ts\n",
     MEDIA "#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"skd://i\",KEYFORMAT=\"com.apple.streamingkeydelivery\"\n"
           "#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"[media " UP "k]\",KEYFORMAT=\"identity\"\n[media " UP
           "a.ts at=0]\n"},
    named("4.4.4.5 EXT-X-MAP, and the segments behind it are fragments",
          MEDIA "a\n#EXT-X-MAP:URI=\"init\",BYTERANGE=\"9@0\"\nb\n",
          MEDIA "[media " UP "a at=0 name=a.ts]\n#EXT-X-MAP:URI=\"[media " UP
                "init name=init.mp4]\",BYTERANGE=\"9@0\"\n[media " UP "b at=1 name=b.mp4]\n"),
    named("4.4.4.9 EXT-X-PART", MEDIA "#EXT-X-PART:DURATION=1,URI=\"p\"\n#EXT-X-MAP:URI=\"i\"\n"
                                      "#EXT-X-PART:URI=\"q\",DURATION=1,BYTERANGE=\"9@0\"\n",
          MEDIA "#EXT-X-PART:DURATION=1,URI=\"[media " UP "p at=0.0 name=p.ts]\"\n"
                "#EXT-X-MAP:URI=\"[media " UP "i name=i.mp4]\"\n"
                "#EXT-X-PART:URI=\"[media " UP "q name=q.mp4]\",DURATION=1,BYTERANGE=\"9@0\"\n"),
    named("4.4.5.3 EXT-X-PRELOAD-HINT by TYPE",
          MEDIA "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"p\"\n#EXT-X-PRELOAD-HINT:URI=\"m\",TYPE=MAP\n"
                "#EXT-X-PRELOAD-HINT:TYPE=KEY,URI=\"k\"\n#EXT-X-PRELOAD-HINT:TYPE=NEW,URI=\"n\"\n"
                "#EXT-X-PRELOAD-HINT:URI=\"o\"\n",
          MEDIA "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"[media " UP "p at=0.0 name=p.ts]\"\n"
                "#EXT-X-PRELOAD-HINT:URI=\"[media " UP "m name=m.mp4]\",TYPE=MAP\n"
                "#EXT-X-PRELOAD-HINT:TYPE=KEY,URI=\"[media " UP "k name=k.key]\"\n"
                "#EXT-X-PRELOAD-HINT:TYPE=NEW,URI=\"[media " UP "n name=n.ts]\"\n"
                "#EXT-X-PRELOAD-HINT:URI=\"[media " UP "o name=o.ts]\"\n"),
    named("4.4.5.4 EXT-X-RENDITION-REPORT", MEDIA "#EXT-X-RENDITION-REPORT:URI=\"../b/i\",LAST-MSN=3\n",
          MEDIA "#EXT-X-RENDITION-REPORT:URI=\"[playlist https://up.example/live/b/i name=i.m3u8]\","
                "LAST-MSN=3\n"),
    same("4.4.5.4 EXT-X-RENDITION-REPORT without URI", MEDIA "#EXT-X-RENDITION-REPORT:LAST-MSN=3,"
         "LAST-PART=1\n"),
    named("D.2 EXT-X-DATERANGE: X-ASSET-URI, X-ASSET-LIST and X-URI, absolute, whatever CLASS says",
          MEDIA "#EXT-X-DATERANGE:ID=\"1\",CLASS=\"com.apple.hls.interstitial\",X-ASSET-URI=\"ad\"\n"
                "#EXT-X-DATERANGE:ID=\"2\",X-ASSET-LIST=\"list.json?x=1\"\n"
                "#EXT-X-DATERANGE:ID=\"3\",CLASS=\"com.apple.hls.preload\",X-URI=\"list.json?x=1\"\n",
          MEDIA "#EXT-X-DATERANGE:ID=\"1\",CLASS=\"com.apple.hls.interstitial\",X-ASSET-URI=\"[playlist! " UP
                "ad name=ad.m3u8]\"\n"
                "#EXT-X-DATERANGE:ID=\"2\",X-ASSET-LIST=\"[playlist! " UP "list.json?x=1 name=list.json]\"\n"
                "#EXT-X-DATERANGE:ID=\"3\",CLASS=\"com.apple.hls.preload\",X-URI=\"[playlist! " UP
                "list.json?x=1 name=list.json]\"\n"),
    same("D.2 an asset list inside a data: URI stays",
         MEDIA "#EXT-X-DATERANGE:ID=\"1\",X-ASSET-LIST=\"data:application/json,{%22ASSETS%22:[]}\"\n"),
    same("4.4.5.1 other attributes of EXT-X-DATERANGE belong to applications",
         MEDIA "#EXT-X-DATERANGE:ID=\"https://i.example/\",CLASS=\"urn:x\","
               "START-DATE=\"2020-01-01T00:00:00Z\","
               "X-AD-URL=\"https://ad.example/\",X-COM-X-BEACON=\"https://b.example/\","
               "URI=\"https://u.example/\","
               "X-TV-TWITCH-AD-URL=\"https://t.example/\",SCTE35-OUT=0xFC\n"),
    same("4.4.5.2 EXT-X-SKIP keeps its literal tabs",
         MEDIA "#EXT-X-SKIP:SKIPPED-SEGMENTS=3,RECENTLY-REMOVED-DATERANGES=\"a\tb\thttps://x.example/\"\n"),
    named("4.4.5.2 EXT-X-SKIP may hide an EXT-X-MAP: the segments behind it are fragments",
          MEDIA "#EXT-X-SKIP:SKIPPED-SEGMENTS=3\na\n",
          MEDIA "#EXT-X-SKIP:SKIPPED-SEGMENTS=3\n[media " UP "a at=3 name=a.mp4]\n"),
    same("4.4.2.3 EXT-X-DEFINE values are no URIs",
         "#EXTM3U\n#EXT-X-DEFINE:NAME=\"a\",VALUE=\"https://up.example/\"\n#EXT-X-DEFINE:IMPORT=\"b\"\n"),
    same("4.4 tags without URIs",
         "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:1\n#EXT-X-DISCONTINUITY\n"
         "#EXT-X-DISCONTINUITY-SEQUENCE:2\n#EXT-X-PLAYLIST-TYPE:VOD\n#EXT-X-I-FRAMES-ONLY\n"
         "#EXT-X-PART-INF:PART-TARGET=1\n#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES\n#EXTINF:4,\n"
         "#EXT-X-BYTERANGE:1@0\n#EXT-X-PROGRAM-DATE-TIME:2020-01-01T00:00:00Z\n#EXT-X-GAP\n#EXT-X-BITRATE:9\n"
         "#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-START:TIME-OFFSET=1\n#EXT-X-ENDLIST\n"),

    // Vendors and IPTV.
    named("image spec EXT-X-IMAGE-STREAM-INF with URI",
          "#EXTM3U\n#EXT-X-IMAGE-STREAM-INF:BANDWIDTH=1,URI=\"t\"\nstray.jpg\n",
          "#EXTM3U\n#EXT-X-IMAGE-STREAM-INF:BANDWIDTH=1,URI=\"[playlist " UP "t name=t.m3u8]\"\n[playlist " UP
          "stray.jpg name=stray.jpg]\n"),
    named("image spec EXT-X-IMAGE-STREAM-INF without URI: the next line is the playlist",
          "#EXTM3U\n#EXT-X-IMAGE-STREAM-INF:BANDWIDTH=1,RESOLUTION=1x1\nt.jpg\n",
          "#EXTM3U\n#EXT-X-IMAGE-STREAM-INF:BANDWIDTH=1,RESOLUTION=1x1\n[playlist " UP
          "t.jpg name=t.jpg.m3u8]\n"),
    named("image spec EXT-X-IMAGES-ONLY", MEDIA "#EXT-X-IMAGES-ONLY\n#EXTINF:4,\na\n#EXTINF:4,\nb.jpg\n",
          MEDIA "#EXT-X-IMAGES-ONLY\n#EXTINF:4,\n[media " UP "a at=0 name=a.jpg]\n#EXTINF:4,\n[media " UP
                "b.jpg at=1 name=b.jpg]\n"),
    named("image spec EXT-X-TILES makes an image of one segment",
          MEDIA "#EXTINF:4,\n#EXT-X-TILES:RESOLUTION=1x1,LAYOUT=2x2,DURATION=1\na\n#EXTINF:4,\nb\n",
          MEDIA "#EXTINF:4,\n#EXT-X-TILES:RESOLUTION=1x1,LAYOUT=2x2,DURATION=1\n[media " UP
                "a at=0 name=a.jpg]\n#EXTINF:4,\n[media " UP "b at=1 name=b.ts]\n"),
    named("LHLS EXT-X-PREFETCH holds a bare URI", MEDIA "#EXT-X-PREFETCH:a\n#EXT-X-PREFETCH: b.ts?x=\"1\" \n",
          MEDIA "#EXT-X-PREFETCH:[media " UP "a name=a.ts]\n#EXT-X-PREFETCH: [media " UP
                "b.ts?x=%221%22 name=b.ts] \n"),
    same("LHLS EXT-X-PREFETCH-DISCONTINUITY has none", MEDIA "#EXT-X-PREFETCH-DISCONTINUITY\n"),
    named("Twitch EXT-X-TWITCH-PREFETCH", MEDIA "#EXT-X-MAP:URI=\"i\"\n"
          "#EXT-X-TWITCH-PREFETCH:https://v.example/x\n",
          MEDIA "#EXT-X-MAP:URI=\"[media " UP "i name=i.mp4]\"\n#EXT-X-TWITCH-PREFETCH:[media "
                "https://v.example/x name=x.mp4]\n"),
    same("Adobe EXT-X-FAXS-CM and unknown tags",
         "#EXTM3U\n#EXT-X-FAXS-CM:URI=\"https://a.example/\"\n#EXT-FAXS-CM:MIIX/+==\n"
         "#EXT-X-UNKNOWN:URI=\"https://a.example/\",SERVER-URI=\"https://b.example/\"\n"),
    same("4.4.4.1 the title of EXTINF is free text", MEDIA "#EXTINF:4,URI=\"https://a.example/\", \"b\n"),
    {"IPTV pairs of EXTINF and EXTM3U",
     "#EXTM3U x-tvg-url=\"https://e.example/\" url-tvg=\"https://f.example/\" "
     "url-logo=\"https://g.example/\"\n"
     "#EXTINF:-1 tvg-logo=\"https://l.example/l.png\" catchup-source=\"https://c.example/{Y}/${start}\",One\n"
     "http://s.example/1\n",
     "#EXTM3U x-tvg-url=\"https://e.example/\" url-tvg=\"https://f.example/\" "
     "url-logo=\"https://g.example/\"\n"
     "#EXTINF:-1 tvg-logo=\"https://l.example/l.png\" catchup-source=\"https://c.example/{Y}/${start}\",One\n"
     "[playlist http://s.example/1]\n"},
    same("IPTV request options",
         "#EXTM3U\n#EXTVLCOPT:http-referrer=https://r.example/\n"
         "#EXTHTTP:{\"Referer\":\"https://r.example/\"}\n"
         "#KODIPROP:inputstream.adaptive.license_key=https://k.example/|H=1|R{SSM}|\n"
         "#WEBPROP:x=https://w.example/\n"
         "#EXTGRP:https://g.example/\n#EXTIMG:https://i.example/\n"),
    named("IPTV lines: what they are the response decides",
          "#EXTM3U\n#EXTINF:-1,One\nhttp://s.example/1\n#EXTINF:0,Two\nfilm.mp4\n",
          "#EXTM3U\n#EXTINF:-1,One\n[playlist http://s.example/1 name=1.m3u8]\n#EXTINF:0,Two\n[playlist " UP
          "film.mp4 name=film.mp4]\n"),
    same("IPTV lines of other protocols",
         "#EXTM3U\n#EXTINF:-1,One\nrtmp://s.example/1\n#EXTINF:-1,Two\nudp://@239.0.0.1:1234\n"
         "#EXTINF:-1,Three\nrtsp://s.example/\n#EXTINF:-1,Four\nplugin://video/?url=https://x.example/\n"),
    named("a duration over 0 makes a segment without any tag of a media playlist",
          "#EXTM3U\n#EXTINF:9.5,One\na\nb\n#EXTINF:0.0,Two\nc\n#EXTINF: +0.01\nd\n#EXTINF:-5,Three\ne\n",
          "#EXTM3U\n#EXTINF:9.5,One\n[media " UP "a at=0 name=a.ts]\n[playlist " UP "b name=b.m3u8]\n"
          "#EXTINF:0.0,Two\n[playlist " UP "c name=c.m3u8]\n#EXTINF: +0.01\n[media " UP "d at=1 name=d.ts]\n"
          "#EXTINF:-5,Three\n[playlist " UP "e name=e.m3u8]\n"),
    same("markers of advertisements: base64 with '/' and '=', typographic quotes",
         MEDIA "#EXT-X-CUE-OUT:DURATION=\xE2\x80\x9C" "30\xE2\x80\x9D,URI=\"https://c.example/\"\n"
               "#EXT-X-CUE-OUT-CONT:1/30\n#EXT-X-CUE-IN\n#EXT-OATCLS-SCTE35:/DAlAAAAAA==\n"
               "#EXT-X-SCTE35:CUE=\"/DA+==\n#EXT-SCTE35:TYPE=0x34\n#EXT-X-ASSET:CAID=0x0\n"
               "#USP-X-MEDIA:URI=\"u\"\n"
               "#EXT-X-TWITCH-INFO:URI=\"x\"\n#EXT-X-ALLOW-CACHE:NO\n"
               "#EXT-X-CONTENT-IDENTIFIER:https://i.example/\n"),
};

// Tags that make a media playlist of a playlist, and their values.
const char *const kMediaTags[] = {
    "EXT-X-TARGETDURATION:4", "EXT-X-MEDIA-SEQUENCE:0", "EXT-X-DISCONTINUITY-SEQUENCE:2", "EXT-X-ENDLIST",
    "EXT-X-PLAYLIST-TYPE:VOD", "EXT-X-I-FRAMES-ONLY", "EXT-X-PART-INF:PART-TARGET=1",
    "EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES", "EXT-X-BYTERANGE:1@0", "EXT-X-DISCONTINUITY",
    "EXT-X-KEY:METHOD=NONE", "EXT-X-MAP:URI=\"\"", "EXT-X-PROGRAM-DATE-TIME:2020-01-01T00:00:00Z",
    "EXT-X-GAP",
    "EXT-X-BITRATE:9", "EXT-X-PART:URI=\"\"", "EXT-X-DATERANGE:ID=\"1\"", "EXT-X-SKIP:SKIPPED-SEGMENTS=0",
    "EXT-X-PRELOAD-HINT:TYPE=PART", "EXT-X-RENDITION-REPORT:LAST-MSN=1", "EXT-X-PREFETCH:",
    "EXT-X-TWITCH-PREFETCH:", "EXT-X-IMAGES-ONLY", "EXT-X-TILES:LAYOUT=1x1",
};

// Tags that make a multivariant playlist, and their values.
const char *const kMultivariantTags[] = {
    "EXT-X-MEDIA:TYPE=AUDIO", "EXT-X-STREAM-INF:BANDWIDTH=1", "EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1",
    "EXT-X-SESSION-DATA:DATA-ID=\"x\"", "EXT-X-SESSION-KEY:METHOD=NONE", "EXT-X-IMAGE-STREAM-INF:URI=\"\"",
};

std::vector<Case> all_cases() {
  std::vector<Case> cases = kCases;
  for (std::string tag : kMediaTags) {
    std::string lines = "#EXTM3U\n#" + tag + "\n";
    std::string at = tag.find("BYTERANGE") == tag.npos ? " at=0]\n" : "]\n";
    cases.push_back({"media playlist by " + tag, lines + "a.bin\n", lines + "[media " UP "a.bin" + at});
  }
  // The same name as a segment would have the path media/.
  for (std::string tag : kMultivariantTags) {
    std::string lines = MEDIA "#" + tag + "\n";
    cases.push_back({"multivariant playlist by " + tag, lines + "a.bin\nb.bin\n",
                     lines + "[playlist " UP "a.bin]\n[playlist " UP "b.bin]\n"});
  }
  cases.push_back({"multivariant playlist by EXT-X-CONTENT-STEERING", MEDIA "#EXT-X-CONTENT-STEERING:X\n"
      "a.bin\n",
                   MEDIA "[playlist " UP "a.bin]\n"});
  return cases;
}

}  // namespace

int main() {
  const std::vector<Case> cases = all_cases();
  return fixture::run(cases);
}
