// Which response headers of an origin reach the client, and as what its body is declared.

#ifndef HLS_RESPONSE_HEADERS_H
#define HLS_RESPONSE_HEADERS_H

#include <string_view>

namespace hls {

/// Headers that act on more than the response they come with are dropped from every response, since
/// the origin would act under the user's name. A name that ends in '*' stands for all that begin so:
///
/// - the user's domain in a browser, its cookies and storage: Set-Cookie*, Clear-Site-Data,
///   Set-Login, IdP-SignIn-Status, Activate-Storage-Access, Service-Worker*, Accept-CH*, Critical-CH,
///   Use-As-Dictionary, Sec-*, Secure-Session-*, Shared-Storage-*, Ad-Auction-*,
///   Attribution-Reporting-*, Observe-Browsing-Topics, X-Allow-FLEDGE
/// - its security policy (the module sends its own): Strict-Transport-Security, Public-Key-Pins*,
///   Expect-*, Content-Security-Policy*, X-Content-Security-Policy*, X-WebKit-CSP*,
///   X-Content-Type-Options, X-Frame-Options, X-XSS-Protection, X-Permitted-Cross-Domain-Policies,
///   X-Download-Options, Referrer-Policy, Permissions-Policy*, Feature-Policy*, Document-*,
///   Require-Document-Policy, Integrity-Policy*, Origin-Agent-Cluster, Origin-Trial, Cross-Origin-*,
///   Access-Control-*, Timing-Allow-Origin, Allow-CSP-From, Supports-Loading-Mode, X-UA-Compatible,
///   X-DNS-Prefetch-Control
/// - what a browser loads, reports or opens because of it: Link, Refresh, Speculation-Rules,
///   SourceMap, X-SourceMap, NEL, Report-To, Reporting-Endpoints, Alt-Svc, Content-Disposition
/// - addresses that lead past the relay: Location (where a redirect is passed on, a link takes its place
///   after this), Content-Location, Content-Base
/// - authentication: WWW-Authenticate, Optional-WWW-Authenticate, Authentication-*, Proxy-*
/// - nginx and whatever cache, server or CDN stands before it: X-Accel-*, X-Sendfile*, X-Lighttpd-*,
///   X-Reproxy-*, X-LiteSpeed-*, Surrogate-*, Edge-Control, Cache-Tag*, X-Cache-Tag*,
///   CDN-Cache-Control, XKey
/// - the upstream connection (RFC 9110 7.6.1): Connection, Keep-Alive, TE, Trailer,
///   Transfer-Encoding, Upgrade
///
/// Kept on purpose: Age, Date, Cache-Control, Expires, ETag, Last-Modified, Content-Range, Accept-Ranges;
/// Vary, because the answer may depend on the Range or Accept that goes upstream, and all that a false
/// one can do is to keep caches from sharing the origin's own bytes; Server-Timing, CMSD-*, icy-*, which
/// only inform. `name` in any case.
bool is_dropped_header(std::string_view name);

/// Additionally dropped where the body was rewritten: they describe the bytes before. Content-Length,
/// Content-Encoding, Content-Range, Accept-Ranges, ETag, Last-Modified (links change while the playlist
/// does not), Content-MD5, Digest, Content-Digest, Repr-Digest, Unencoded-Digest, Signature,
/// Signature-Input, X-Goog-Hash, X-Goog-Stored-Content-*, X-Amz-Checksum-*.
bool is_body_header(std::string_view name);

/// The type to declare: `origin`'s own (parameters cut off but for charset=utf-8 of text/vtt) where it is
/// on the list of media types, else one by the file name's extension where the origin was vague
/// (text/plain, application/octet-stream, binary/octet-stream, none), else application/octet-stream. The
/// types of HLS playlists become kPlaylistType. Never a type that a browser runs or renders as a
/// document (html, xml, javascript, pdf): that leaves out svg and, though they are media, ttml+xml and
/// dash+xml, since any +xml can carry scripts in the XHTML namespace and HLS uses neither as a file.
/// Returned views are literals, `origin` may be of any length.
std::string_view media_type(std::string_view origin, std::string_view file_name);

constexpr std::string_view kPlaylistType = "application/vnd.apple.mpegurl";

}  // namespace hls

#endif
