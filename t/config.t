use strict;
use warnings;
use lib 't/lib';
use Test::More;
use HlsTest;

# What nginx -t says of configurations that cannot work: the directive, and what to do.

my $secret = "hls_proxy_secret '0123456789abcdef0123';";
my $source = 'hls_proxy_source s { key p; entry /entry; url http://127.0.0.1/$p; }';
my $params = HlsTest::Nginx->params_file;
my $link = "location /hls/ { include $params; }";

sub check { my (%opt) = @_; return HlsTest::Nginx->check_config(server => '', %opt) }
sub in_source { my ($lines) = @_; return "$secret hls_proxy_source s { key p q=^\\d+\$; url http://127.0.0.1/\$p; $lines }" }

my ($status, $text) = check(http => "$secret $source",
  server => "$link location = /entry { hls_proxy_entry s; }");
is($status, 0, 'a good configuration') or diag $text;
unlike($text, qr/\[(?:warn|emerg|error)\]/, 'without a warning');

# [what, http, server, what the message says...]
my @bad = (
  ['a short secret', "hls_proxy_secret short;", '', qr/hls_proxy_secret/, qr/16/],
  ['a short second secret', "hls_proxy_secret '0123456789abcdef0123' short;", '', qr/hls_proxy_secret/,
    qr/16/],
  ['an empty secret', "hls_proxy_secret '';", '', qr/hls_proxy_secret/],
  ['no value', 'hls_proxy_secret;', '', qr/hls_proxy_secret/],
  ['a secret file that is not there', 'hls_proxy_secret file:/nonexistent/secret;', '',
    qr{/nonexistent/secret}, qr/No such file/],
  ['a path taken for a secret', 'hls_proxy_secret /etc/nginx/hls.secret;', '', qr/secret/, qr{file:/path}],
  ['a variable taken for a secret', 'hls_proxy_secret $hls_secret_of_the_server;', '', qr/secret/, qr/env:NAME/],
  ['hosts without that of the url', in_source('hosts cdn.example;'), '', qr/hosts/, qr/url/],
  ['a secret from an unset variable', 'hls_proxy_secret env:HLS_TEST_NOT_SET;', '', qr/HLS_TEST_NOT_SET/],
  ['secrets twice', "$secret $secret", '', qr/hls_proxy_secret.*duplicate/],
  ['links without a secret', $source, $link, qr/hls_proxy_secret/],
  ['an entry without a secret', $source, 'location = /e { hls_proxy_entry s; }', qr/hls_proxy_secret/],
  ['an unknown source', $secret, 'location = /e { hls_proxy_entry nope; }', qr/hls_proxy_entry/, qr/"nope"/],
  ['an entry without a source', "$secret $source", 'location = /e { hls_proxy_entry; }', qr/hls_proxy_entry/,
    qr/number of arguments/],
  ['an argument that is no key', "$secret $source", 'location = /e { hls_proxy_entry s nope=1; }',
    qr/hls_proxy_entry/, qr/nope/],
  ['an argument without a value', "$secret $source", 'location = /e { hls_proxy_entry s p; }',
    qr/hls_proxy_entry/, qr/"p"/],
  ['two entries in a location', "$secret $source", 'location = /e { hls_proxy_entry s; hls_proxy_entry s; }',
    qr/hls_proxy_entry.*duplicate/],
  ['an unknown variable in an argument', "$secret $source", 'location = /e { hls_proxy_entry s p=$nope; }',
    qr/nope/],
  ['a source twice', "$secret $source $source", '', qr/hls_proxy_source/, qr/"s".*duplicate|duplicate.*"s"/],
  ['a source without a name', "$secret hls_proxy_source { }", '', qr/hls_proxy_source/],
  ['a source without a url', "$secret hls_proxy_source s { key p; }", '', qr/hls_proxy_source/, qr/"url"/],
  ['a source in a server', $secret, $source, qr/hls_proxy_source.*not allowed here/],
  ['an unknown directive in a source', in_source('frobnicate 1;'), '', qr/hls_proxy_source/, qr/frobnicate/,
    qr/\bkey\b.*\burl\b/],
  ['a block without its end', "$secret hls_proxy_source s { key p; url http://127.0.0.1/\$p;", '',
    qr/unexpected/],
  ['a key twice', "$secret hls_proxy_source s { key p p; url http://127.0.0.1/; }", '', qr/hls_proxy_source/,
    qr/"p"/],
  ['keys twice', in_source('key z;'), '', qr/key.*duplicate/],
  ['a key of odd characters', "$secret hls_proxy_source s { key a-b; url http://127.0.0.1/; }", '', qr/a-b/],
  ['a key that entries use', "$secret hls_proxy_source s { key sig; url http://127.0.0.1/; }", '', qr/sig/],
  ['a key that until uses', "$secret hls_proxy_source s { key until; url http://127.0.0.1/; }", '',
    qr/until/],
  ['a bad regex', "$secret hls_proxy_source s { key p=^(; url http://127.0.0.1/; }", '', qr/\^\(/],
  ['a url with an unknown name', "$secret hls_proxy_source s { key p; url http://127.0.0.1/\$nope; }", '',
    qr/nope/, qr/\bp\b/],
  ['a url before its key', "$secret hls_proxy_source s { url http://127.0.0.1/\$p; key p; }", '', qr/\bp\b/,
    qr/key/],
  ['a url of another scheme', "$secret hls_proxy_source s { key p; url ftp://127.0.0.1/\$p; }", '', qr/url/,
    qr{http}],
  ['a url without a host', "$secret hls_proxy_source s { key p; url http:///x; }", '', qr/url/],
  ['a url with a bad port', "$secret hls_proxy_source s { key p; url http://127.0.0.1:99999/x; }", '',
    qr/url/],
  ['two urls', in_source('url http://127.0.0.1/;'), '', qr/url.*duplicate/],
  ['a header without a value', in_source('header Referer;'), '', qr/header/],
  ['a header with a bad name', in_source('header "Bad Name" x;'), '', qr/header/, qr/Bad Name/],
  ['a header with a line break', in_source("header Referer \"a\r\nX: y\";"), '', qr/header/],
  ['a header that is not for users', in_source('header Host x;'), '', qr/header/, qr/Host/],
  ['the length as a header', in_source('header content-length 5;'), '', qr/header/, qr/content-length/i],
  ['a header with an unknown name', in_source('header Referer http://x/$nope;'), '', qr/nope/],
  ['a host pattern with a scheme', in_source('hosts http://cdn.example;'), '', qr/hosts/],
  ['a host pattern with stars inside', in_source('hosts a.*.example;'), '', qr/hosts/],
  ['a host pattern with a path', in_source('hosts cdn.example/x;'), '', qr/hosts/],
  ['a host pattern with a bad port', in_source('hosts cdn.example:x;'), '', qr/hosts/],
  ['no host', in_source('hosts;'), '', qr/hosts/],
  ['no volatile argument', in_source('volatile;'), '', qr/volatile/],
  ['an entry that is no path', in_source('entry here;'), '', qr/entry/],
  ['a bad ttl', "$secret hls_proxy_link_ttl soon;", '', qr/hls_proxy_link_ttl/, qr/soon/],
  ['a ttl of nothing', "$secret hls_proxy_link_ttl 0;", '', qr/hls_proxy_link_ttl/],
  ['a bad playlist ttl', "$secret hls_proxy_link_ttl 1h playlist=x;", '', qr/hls_proxy_link_ttl/],
  ['an unknown ttl', "$secret hls_proxy_link_ttl 1h media=1h;", '', qr/hls_proxy_link_ttl/, qr/media/],
  ['a bad size', "$secret hls_proxy_max_playlist big;", '', qr/hls_proxy_max_playlist/],
  ['no on or off', $secret, 'location / { hls_proxy maybe; }', qr/hls_proxy/, qr/maybe/],
  ['an unknown auth', $secret, 'hls_proxy_auth basic;', qr/hls_proxy_auth|basic/, qr/basic/],
  ['apikey without a key', "$secret $source", 'location = /e { hls_proxy_entry s; hls_proxy_auth apikey; }',
    qr/hls_proxy_api_key/],
  ['a short API key', "$secret hls_proxy_api_key short;", '', qr/hls_proxy_api_key/, qr/16/],
  ['a base that is no path', "$secret hls_proxy_base hls;", '', qr/hls_proxy_base/],
  ['a base with a query', "$secret hls_proxy_base /hls?x=1;", '', qr/hls_proxy_base/],
  ['a public base without a scheme', "$secret hls_proxy_public_base tv.example;", '',
    qr/hls_proxy_public_base/],
);

for my $case (@bad) {
  my ($what, $http, $server, @says) = @$case;
  subtest $what => sub {
    my ($status, $text) = check(http => $http, server => $server);
    is($status, 1, 'refused');
    my ($line) = grep { /\[emerg\]/ } split /\n(?=\S)/, $text;
    like($line // "no [emerg] line: $text", $_, "says $_") for @says;
    like($line // '', qr/nginx\.conf:\d+/,
      'and where') if $what !~ /unknown variable/;   # nginx's own message
    unlike($text, qr/0123456789abcdef|\bshort\b/, 'never a secret');
    unlike($text, qr/signal|core dumped/, 'without a crash');
  };
}

subtest 'all variables of the interface' => sub {
  for my $name (qw(pass url uri host kind source key provider header_referer bind cache_key attempt refreshed link_state method)) {
    my ($status, $text) = check(http => "$secret log_format x \$hls_proxy_$name; access_log logs/x x;");
    is($status, 0, $name) or diag $text;
  }
};

subtest 'a base that no location serves' => sub {
  my ($status, $text) = check(http => "$secret $source",
    server => "$link location = /entry { hls_proxy_entry s; hls_proxy_base /elsewhere; }");
  is($status, 0, 'accepted');
  like($text, qr/\[warn\](?=.*hls_proxy_base).*\/elsewhere/, 'with a warning');
  ($status, $text) = check(http => "$secret $source", server => 'location = /entry { hls_proxy_entry s; }');
  like($text, qr/\[warn\](?=.*hls_proxy_base).*\/hls\//, 'the default base counts');
  ($status, $text) = check(http => "$secret $source hls_proxy_base /tv;",
    server => "location /tv/playlist/ { include $params; } location ~ ^/tv/media/ { include $params; } location = /entry { hls_proxy_entry s; }");
  is($status, 0, 'another base, regex locations');
  unlike($text, qr/\[warn\]/, 'served: no warning') or diag $text;
  ($status, $text) = check(http => "$secret $source",
    server => "hls_proxy_base https://tv.example/\$host/hls; location / { include $params; } location = /entry { hls_proxy_entry s; }");
  is($status, 0, 'an absolute base with variables');
};

subtest 'secrets from elsewhere' => sub {
  my $nginx = HlsTest::Nginx->new(server => '');
  my $file = $nginx->write_file('secret', "0123456789abcdef from a file\nsecond line\n");
  my ($status, $text) = check(http => "hls_proxy_secret file:$file; $source", server => $link);
  is($status, 0, 'a file') or diag $text;
  ($status, $text) = check(http => "hls_proxy_secret env:HLS_TEST_SECRET; $source", server => $link,
    env => { HLS_TEST_SECRET => '0123456789abcdef env' });
  is($status, 0, 'the environment') or diag $text;
  my $empty = $nginx->write_file('empty', "\n");
  ($status, $text) = check(http => "hls_proxy_secret file:$empty;");
  is($status, 1, 'an empty file is refused');
  like($text, qr/16/, 'for its length');

  my $origin = HlsTest::Origin->start;
  $origin->set('/live/x.m3u8', type => 'application/vnd.apple.mpegurl', body => "#EXTM3U\n");
  my %conf = relay_conf($origin, secret => "file:$file");
  my $relay = HlsTest::Nginx->start(%conf);
  is($relay->get(entry_uri(p => 'x.m3u8', -secret => '0123456789abcdef from a file'))->{status}, 200,
    'its first line, without the newline');
  $conf{http} =~ s/'file:[^']*'/env:HLS_TEST_SECRET/;
  my $env = HlsTest::Nginx->start(%conf, main => 'env HLS_TEST_SECRET;',
    env => { HLS_TEST_SECRET => '0123456789abcdef env' });
  is($env->get(entry_uri(p => 'x.m3u8', -secret => '0123456789abcdef env'))->{status}, 200, 'the variable');
  is($env->reload, 1, 'and after a reload');
  is($env->get(entry_uri(p => 'x.m3u8', -secret => '0123456789abcdef env'))->{status}, 200, 'still');
};

subtest 'inheritance' => sub {
  my $origin = HlsTest::Origin->start;
  $origin->set('/live/x.m3u8', type => 'application/vnd.apple.mpegurl',
    body => "#EXTM3U\n#EXTINF:1,\nx.ts\n");
  $origin->file('/live/x.ts', media_bytes(100));
  my $relay = start_relay($origin, http => 'hls_proxy_base /tv;', server => <<"END");
location /tv/ { include $params; }
location = /near { hls_proxy_entry s; hls_proxy_auth none; hls_proxy_base /near; }
location /near/ { include $params; hls_proxy_base /near; }
location /if/ { if (\$arg_p) { hls_proxy_entry s; } }
END
  my $r = $relay->get(entry_uri(p => 'x.m3u8'));
  my ($link) = $r->{body} =~ m{^(/\S+)}m;
  like($link, qr{^/tv/media/}, 'http level');
  is($relay->get($link)->{status}, 200, 'a link of it');
  ($link) = $relay->get('/near?p=x.m3u8')->{body} =~ m{^(/\S+)}m;
  like($link // '', qr{^/near/media/}, 'a location of its own');
  is($relay->get($link // '/none')->{status}, 200, 'a link of it');
  like($relay->get(entry_uri(-path => '/if/', p => 'x.m3u8'))->{body}, qr{^/tv/media/}m, 'inside of if');
};

finish();
