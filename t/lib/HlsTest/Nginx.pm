package HlsTest::Nginx;

# One nginx from a private prefix on a free loopback port.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp ();
use IO::Socket::INET;
use POSIX qw(WNOHANG);
use Test::More;
use Time::HiRes qw(sleep time);

use HlsTest::Client;

my @started;
my $owner = $$;
my $root = abs_path(dirname(__FILE__) . '/../../..');

# A test that is killed still takes its nginx along: exit() runs the END blocks.
$SIG{$_} = sub { exit 1 } for qw(INT TERM HUP PIPE);

sub root { return $root }
sub binary { return $ENV{TEST_NGINX_BINARY} // 'nginx' }

sub module {
  my $path = $ENV{HLS_MODULE} // "$root/.build/ngx_http_hls_proxy_module.so";
  -e $path or BAIL_OUT("no module at $path: run ./build.sh build, or set HLS_MODULE");
  return abs_path($path);
}

sub params_file {
  my ($path) = grep { defined && -e } $ENV{HLS_PARAMS}, "$root/.build/hls_proxy_params",
    "$root/src/nginx/hls_proxy_params";
  defined $path or BAIL_OUT('no hls_proxy_params: run ./build.sh build, or set HLS_PARAMS');
  return abs_path($path);
}

# A copy of it with other values: proxy_read_timeout => '1s', say.
my @copies;
sub params_with {
  my ($class, %values) = @_;
  open my $file, '<', $class->params_file or die "hls_proxy_params: $!";
  my $text = do { local $/; <$file> };
  for my $name (sort keys %values) {
    $text =~ s/^\Q$name\E\s[^;]*;/$name $values{$name};/m or $text .= "$name $values{$name};\n";
  }
  my $copy = File::Temp->new(TEMPLATE => 'hls-params-XXXXXX', TMPDIR => 1);
  chmod 0644, "$copy";
  print {$copy} $text;
  close $copy or die "$copy: $!";
  push @copies, $copy;
  return "$copy";
}

# Free when asked; outside the kernel's range for outgoing connections, so that those do not take it.
sub free_port {
  for (1 .. 200) {
    my $port = 10_000 + int rand 20_000;
    my $socket = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $port, Proto => 'tcp',
                                       Listen => 1, ReuseAddr => 1);
    return $port if $socket;
  }
  die "no free port on loopback\n";
}

# Options: main, events, http, server (configuration text); port; module (0: not loaded); workers;
# connections (of a worker); log_level; secret (0: none given by the harness, which is the default). %PORT% and %PREFIX% are set in.
sub new {
  my ($class, %opt) = @_;
  my $dir = File::Temp->newdir('hls-test-XXXXXX', TMPDIR => 1);
  my $self = bless { %opt, dir => $dir, prefix => "$dir", port => $opt{port} // free_port() }, $class;
  mkdir "$dir/$_" or die "$dir/$_: $!" for qw(logs temp html);
  chmod 0755, "$dir";
  $self->write_config;
  return $self;
}

sub write_config {
  my ($self, %opt) = @_;
  $self->{$_} = $opt{$_} for keys %opt;
  my %part = map { $_ => $self->{$_} // '' } qw(main events http server);
  my $load = ($self->{module} // 1) ? 'load_module ' . module() . ';' : '';
  my $user = $> == 0 ? 'user root;' : '';
  my $workers = $self->{workers} // 1;
  my $level = $self->{log_level} // 'info';
  my $connections = $self->{connections} // 256;
  my $listen = $self->{listen} // "listen 127.0.0.1:$self->{port};";
  my $server = defined $self->{server} ? "server {\n$listen\n$part{server}\n}" : '';
  my $conf = <<"END";
$load
$user
worker_processes $workers;
daemon off;
pid logs/nginx.pid;
error_log logs/error.log $level;
$part{main}
events { worker_connections $connections; $part{events} }
http {
  access_log off;
  client_body_temp_path temp/body;
  proxy_temp_path temp/proxy;
  fastcgi_temp_path temp/fastcgi;
  uwsgi_temp_path temp/uwsgi;
  scgi_temp_path temp/scgi;
  large_client_header_buffers 4 32k;
  root html;
$part{http}
$server
}
END
  $conf =~ s/%PORT%/$self->{port}/g;
  $conf =~ s/%PREFIX%/$self->{prefix}/g;
  $self->write_file('nginx.conf', $conf);
}

sub write_file {
  my ($self, $name, $bytes) = @_;
  open my $file, '>:raw', "$self->{prefix}/$name" or die "$self->{prefix}/$name: $!";
  print {$file} $bytes;
  close $file or die "$self->{prefix}/$name: $!";
  return "$self->{prefix}/$name";
}

sub read_file {
  my ($self, $name) = @_;
  open my $file, '<:raw', "$self->{prefix}/$name" or return '';
  local $/;
  return scalar(<$file>) // '';
}

sub start {
  my ($class, %opt) = @_;
  my $self = ref $class ? $class : $class->new(%opt);
  my $pid = fork // die "fork: $!";
  if (!$pid) {
    open STDIN, '<', '/dev/null';
    open STDOUT, '>>', "$self->{prefix}/logs/output";
    open STDERR, '>&', \*STDOUT;
    $ENV{$_} = $self->{env}{$_} for keys %{$self->{env} // {}};
    exec binary(), '-p', "$self->{prefix}/", '-c', 'nginx.conf', '-e', 'logs/error.log'
      or POSIX::_exit(127);
  }
  $self->{pid} = $pid;
  push @started, $self;
  $self->wait_until_ready;
  return $self;
}

sub wait_until_ready {
  my ($self) = @_;
  my $end = time + 20;
  while (time < $end) {
    if (waitpid($self->{pid}, WNOHANG) == $self->{pid}) {
      delete $self->{pid};
      die "nginx did not start:\n", $self->read_file('logs/output'), $self->error_log;
    }
    my $up = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $self->{port}, Proto => 'tcp');
    return if $up && -s "$self->{prefix}/logs/nginx.pid";
    sleep 0.01;
  }
  die "nginx does not listen on port $self->{port}\n";
}

# SIGHUP, then waits until workers of the new configuration have taken over and the old are gone.
sub reload {
  my ($self, %opt) = @_;
  my %old = map { $_ => 1 } $self->workers;
  $self->write_config(%opt);
  kill HUP => $self->{pid};
  my $end = time + 20;
  while (time < $end) {
    my @now = $self->workers;
    return 1 if @now && !grep { $old{$_} } @now;
    sleep 0.01;
  }
  die "nginx did not reload:\n" . $self->error_log;
}

# Process ids of the workers, from the process table: children of the master that call themselves so.
sub workers {
  my ($self) = @_;
  my @pids;
  for my $stat (glob '/proc/[0-9]*/stat') {
    open my $file, '<', $stat or next;
    my $line = <$file> // next;
    next unless $line =~ /^(\d+) \(.*\) (\S) (\d+) / && $3 == $self->{pid} && $2 ne 'Z';
    my $pid = $1;
    open my $command, '<', "/proc/$pid/cmdline" or next;
    push @pids, $pid if (<$command> // '') =~ /worker process/;
  }
  return @pids;
}

# A field of a worker's /proc/<pid>/status in kB, e.g. VmHWM.
sub memory_kb {
  my ($self, $field) = @_;
  my $max = 0;
  for my $pid ($self->workers) {
    open my $file, '<', "/proc/$pid/status" or next;
    /^\Q$field\E:\s+(\d+) kB/ and $1 > $max and $max = $1 while <$file>;
  }
  return $max;
}

sub stop {
  my ($self) = @_;
  my $pid = delete $self->{pid} or return;
  for my $try ([QUIT => 8], [TERM => 4], [KILL => 4]) {
    my ($signal, $seconds) = @$try;
    kill $signal => $pid;
    my $end = time + $seconds;
    while (time < $end) {
      if (waitpid($pid, WNOHANG) == $pid) {
        $self->{stopped_by} = $signal;
        return;
      }
      sleep 0.01;
    }
  }
}

# What a stopped nginx logged: nothing above [error], no leaked socket, no sanitizer's report.
sub check_logs {
  my ($self) = @_;
  return if $self->{checked}++;
  my $log = $self->error_log . $self->read_file('logs/output');
  my $bad = qr/\[(?:alert|crit|emerg)\]|open socket|AddressSanitizer|LeakSanitizer|runtime error:/;
  my @lines = grep { /$bad/ && !($self->{allow} && /$self->{allow}/) } split /\n/, $log;
  is(join("\n", @lines), '', 'error log: nothing above [error], no leaked socket, no sanitizer report');
  is($self->{stopped_by}, 'QUIT', 'nginx stopped gracefully');
}

sub error_log { my ($self) = @_; return $self->read_file('logs/error.log') }
sub all { return @started }

sub get { my ($self, $target, %opt) = @_; return HlsTest::Client::request($self->{port}, $target, %opt) }
sub head { my ($self, $target, %opt) = @_; return $self->get($target, method => 'HEAD', %opt) }
sub raw { my ($self, $bytes, %opt) = @_; return HlsTest::Client::raw_exchange($self->{port}, $bytes, %opt) }

# nginx -t: its exit status and what it says.
sub check_config {
  my ($class, %opt) = @_;
  my $self = ref $class ? $class : $class->new(server => '', %opt);
  pipe my $read, my $write or die "pipe: $!";
  my $pid = fork // die "fork: $!";
  if (!$pid) {
    open STDIN, '<', '/dev/null';
    open STDOUT, '>&', $write;
    open STDERR, '>&', $write;
    $ENV{$_} = $opt{env}{$_} for keys %{$opt{env} // {}};
    exec binary(), '-t', '-p', "$self->{prefix}/", '-c', 'nginx.conf', '-e', 'stderr' or POSIX::_exit(127);
  }
  close $write;
  my $text = do { local $/; <$read> };
  waitpid $pid, 0;
  return ($? >> 8, $text // '', $self);
}

END {
  my $status = $?;
  if ($$ == $owner) { $_->stop for grep { $_->{pid} } @started }
  $? = $status;
}

1;
