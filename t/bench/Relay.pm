package Relay;

# One nginx with a single worker, and what that worker costs.

use strict;
use warnings;

use POSIX ();
use Time::HiRes qw(sleep time);

use parent -norequire, 'HlsTest::Nginx';
use HlsTest::Nginx;

# tcp_nopush stays off, as it is by default: over loopback, where packets are of 64 KB, it makes a response of
# just that size wait for the client's delayed ACK.
#
# Relay->start(port => ..., http => text, server => text, cpu => mask of worker_cpu_affinity or none)
sub new {
  my ($class, %opt) = @_;
  $opt{main} = join "\n", $opt{main} // (), $opt{cpu} ? "worker_cpu_affinity $opt{cpu};" : ();
  $opt{http} = join "\n", 'sendfile on;', 'keepalive_requests 1000000000;',
    'keepalive_timeout 600s;', 'send_timeout 600s;', $opt{http} // ();
  return $class->SUPER::new(log_level => 'warn', workers => 1, %opt);
}

sub write_file {
  my ($self, $name, $bytes) = @_;
  $bytes =~ s/worker_connections \d+/worker_connections 4096/ if $name eq 'nginx.conf';
  return $self->SUPER::write_file($name, $bytes);
}

sub proc {
  my ($self, $name) = @_;
  my ($pid) = $self->workers or die "the worker is gone:\n" . $self->error_log;
  open my $file, '<', "/proc/$pid/$name" or return '';
  local $/;
  return scalar <$file> // '';
}

# CPU time of the worker so far, user and system, in ns. schedstat is exact; stat counts ticks of 10 ms.
sub cpu {
  my ($self) = @_;
  my ($ns) = split ' ', $self->proc('schedstat');
  return $ns if $ns;
  my ($utime, $stime) = (split ' ', $self->proc('stat') =~ s/^.*\) //r)[11, 12];
  return ($utime + $stime) * 1e9 / POSIX::sysconf(POSIX::_SC_CLK_TCK());
}

# cpu() once the worker has nothing left to do.
sub settled_cpu {
  my ($self) = @_;
  my ($before, $now, $end) = (-1, $self->cpu, time + 5);
  while ($now != $before && time < $end) {
    sleep 0.003;
    ($before, $now) = ($now, $self->cpu);
  }
  return $now;
}

# Memory of the worker's own (heap, stack; not files, not shared memory), in bytes.
sub memory {
  my ($self) = @_;
  my ($kb) = $self->proc('status') =~ /^RssAnon:\s+(\d+) kB/m;
  return $kb * 1024;
}

1;
