# What a profile does in a guest beside the shell. Only what Debian's perl-base has. Arguments: what to do, and with what.
use strict;
use warnings;
use POSIX ();
use Socket qw(AF_INET SOCK_STREAM SOCK_DGRAM inet_aton pack_sockaddr_in unpack_sockaddr_in);

my $SIOCETHTOOL = 0x8946;
my %GET = (rx => 0x14, tx => 0x16, tso => 0x1e, gso => 0x23, gro => 0x2b);
my $PIECE = 65536;

# The system calls, by their numbers, and whether a long has 64 bits. A kernel of 64 bits also runs programs of 32, which have the other numbers.
my $machine = (POSIX::uname())[4];
my $wide = length(pack 'l!', 0) == 8 && $machine !~ /^(i.86|armv.*)$/;
my ($gettime, $adjtime) = $wide ? ($machine eq 'x86_64' ? (228, 159) : (113, 171)) : $machine =~ /^(i.86|x86_64)$/ ? (265, 124) : (263, 124);
# Those of 32 bits that have the time in 64: all architectures have them under these numbers since Linux 5.1.
my ($gettime64, $adjtime64) = (403, 405);

sub offload {
    my ($card, $what, $value) = @_;
    exists $GET{$what} or die "there is no offload $what\n";
    socket(my $socket, AF_INET, SOCK_DGRAM, 0) or die "socket: $!\n";
    my $word = pack 'LL', $GET{$what} + (defined $value ? 1 : 0), $value || 0;
    my $request = pack 'a16Px16', $card, $word;
    ioctl($socket, $SIOCETHTOOL, $request) or die "$card $what: $!\n";
    return (unpack 'LL', $word)[1];
}

sub now {
    my $time = pack 'qq', 0, 0;
    my $form = 'qq';
    if ($wide) {
        syscall($gettime, 1, $time) >= 0 or die "clock_gettime: $!\n";
    } elsif (syscall($gettime64, 1, $time) < 0) {
        $form = 'll';
        syscall($gettime, 1, $time) >= 0 or die "clock_gettime: $!\n";
    }
    my ($seconds, $nanoseconds) = unpack $form, $time;
    return $seconds * 1_000_000_000 + $nanoseconds;
}

sub counters {
    my %sum = (retransmitted => 0, sent => 0, wrong => 0);
    my %of = ('Tcp RetransSegs' => 'retransmitted', 'Tcp OutSegs' => 'sent', 'Tcp InCsumErrors' => 'wrong', 'IpExt InCsumErrors' => 'wrong');
    for my $path ('/proc/net/snmp', '/proc/net/netstat') {
        open(my $file, '<', $path) or next;
        while (defined(my $names = <$file>) and defined(my $values = <$file>)) {
            my ($group, @names) = split ' ', $names;
            my (undef, @values) = split ' ', $values;
            $group =~ s/:$//;
            for my $at (0 .. $#names) {
                my $into = $of{"$group $names[$at]"};
                $sum{$into} += $values[$at] if defined $into && defined $values[$at];
            }
        }
    }
    return %sum;
}

sub told {
    my ($bytes, $began, $ended, $before, $after) = @_;
    print join(' ', 'result', $bytes, $ended - $began, map { $after->{$_} - $before->{$_} } qw(sent retransmitted wrong)), "\n";
}

my ($what, @with) = @ARGV;
$| = 1;
if ($what eq 'get' or $what eq 'set') {
    my ($card, $offload, $value) = @with;
    offload($card, $offload, $value eq 'on' ? 1 : 0) if $what eq 'set';
    print offload($card, $offload) ? "on\n" : "off\n";
} elsif ($what eq 'receive') {
    my ($address, $limit) = @with;
    alarm $limit;
    socket(my $listener, AF_INET, SOCK_STREAM, 0) or die "socket: $!\n";
    bind($listener, pack_sockaddr_in(0, inet_aton($address))) or die "bind: $!\n";
    listen($listener, 1) or die "listen: $!\n";
    print 'port ', (unpack_sockaddr_in(getsockname $listener))[0], "\n";
    accept(my $peer, $listener) or die "accept: $!\n";
    my %before = counters();
    my ($bytes, $began) = (0, now());
    while (my $read = sysread $peer, my $piece, $PIECE) { $bytes += $read }
    my $ended = now();
    my %after = counters();
    syswrite $peer, 'x';
    told($bytes, $began, $ended, \%before, \%after);
} elsif ($what eq 'send') {
    my ($address, $port, $left, $limit) = @with;
    alarm $limit;
    socket(my $peer, AF_INET, SOCK_STREAM, 0) or die "socket: $!\n";
    connect($peer, pack_sockaddr_in($port, inet_aton($address))) or die "connect: $!\n";
    my %before = counters();
    my ($bytes, $began) = (0, now());
    my $piece = join '', map { chr } map { ($_ * 167 + 13) % 256 } 1 .. $PIECE;
    while ($left > 0) {
        my $wrote = syswrite $peer, $piece, $left < $PIECE ? $left : $PIECE;
        defined $wrote or die "send: $!\n";
        $left -= $wrote;
        $bytes += $wrote;
    }
    shutdown $peer, 1;
    sysread $peer, my $end, 1;
    told($bytes, $began, now(), \%before, { counters() });
} elsif ($what eq 'step-clock') {
    my ($by) = @with;
    my $seconds = POSIX::floor($by / 1_000_000_000);
    my @timex = (0x2100, 0, 0, 0, 0, 0, 0, 0, 0, $seconds, $by - $seconds * 1_000_000_000, 0);
    my $time = pack 'L x4 q q q q l x4 q q q q q q x112', @timex;
    if ($wide) {
        syscall($adjtime, $time) >= 0 or die "adjtimex: $!\n";
    } elsif (syscall($adjtime64, 0, $time) < 0) {
        my $short = pack 'L l4 l l3 l l l x80', @timex;
        syscall($adjtime, $short) >= 0 or die "adjtimex: $!\n";
    }
} else {
    die "nothing is to be done\n";
}
