# Virtigo's guest side of the stream channel. Only what Debian's perl-base has. Argument: the port's device, or unix:PATH for tests.
# Frames, both ways: u32 length of payload, u32 stream, u8 type, payload; numbers are big-endian. See GuestFrame.cs.
use strict;
use warnings;
use POSIX ();
use Fcntl qw(F_GETFL F_SETFL O_NONBLOCK O_RDWR O_NOCTTY);
use Socket qw(AF_INET AF_INET6 AF_UNIX SOCK_STREAM inet_aton inet_pton pack_sockaddr_in pack_sockaddr_in6 pack_sockaddr_un);
use Errno qw(EAGAIN EINTR);

# Spelt so that copying this file through the channel does not look like a reset.
my $MAGIC = pack 'H*', '8b1d56697274' . '69676fc0a7e3f1' . '2d9955';
my $WINDOW = 262144;
my $CHUNK = 32768;
my $HIGH = 262144;
my $MAX_STREAMS = 256;
my $MAX_DRAINS = 256;
my $MAX_FRAME = 1048576;
# Taken by a pipe at once, and read by any shell at once.
my $LONGEST_FOR_READY_SHELL = 2048;
# A copy of a machine puts its first command before what its services do about the new time.
my $HURRY = -20;
my $HURRY_TICKS = 50;
# The host is answered while services are busy.
my $OWN_NICENESS = -10;

my $machine = (POSIX::uname())[4];
my %sys = $machine eq 'x86_64' ? (settime => 227, adjtime => 159, signalfd => 289, inotify => 294, watch => 254)
    : $machine =~ /^i.86$/ ? (settime => 264, adjtime => 124, signalfd => 327, inotify => 332, watch => 292)
    : (settime => 112, adjtime => 171, signalfd => 74, inotify => 26, watch => 27);

my $port;
my $port_up = 1;
my $ends_with_host = 0;
my $input = '';
my $synced = 0;
my $out = '';
my %streams;
my %by_pid;
my $ready_shell;
my @hurried;
my @drains;
my $turn = 0;
my $orphans = 0;
my $children = -1;
# Opened and read before there are forks, which need them at once.
my $random;
my $boot_id;

sub nonblocking {
    my ($handle) = @_;
    fcntl($handle, F_SETFL, fcntl($handle, F_GETFL, 0) | O_NONBLOCK);
}

sub send_frame {
    my ($stream, $type, $payload) = @_;
    $out .= pack('NNa', length $payload, $stream, $type) . $payload;
}

sub slurp {
    my ($path) = @_;
    open(my $file, '<', $path) or return '';
    local $/;
    my $text = <$file>;
    return defined $text ? $text : '';
}

sub open_port {
    my ($where) = @_;
    if ($where =~ /^unix:(.+)$/) {
        my $path = $1;
        socket($port, AF_UNIX, SOCK_STREAM, 0) && connect($port, pack_sockaddr_un($path)) or die "$path: $!\n";
        $ends_with_host = 1;
    } else {
        sysopen($port, $where, O_RDWR | O_NONBLOCK) or die "$where: $!\n";
    }
    binmode $port;
    nonblocking($port);
}

# A descriptor that is readable when a child has ended; without it children are looked for twenty times a second.
sub watch_children {
    POSIX::sigprocmask(POSIX::SIG_BLOCK(), POSIX::SigSet->new(POSIX::SIGCHLD()));
    my $mask = pack 'Q', 1 << (POSIX::SIGCHLD() - 1);
    my $descriptor = syscall($sys{signalfd}, -1, $mask, 8, 04000 | 02000000);
    $children = $descriptor if defined $descriptor && $descriptor >= 0;
}

# --- streams

sub fail_stream {
    my ($id, $why) = @_;
    send_frame($id, '!', $why);
}

sub child_setup {
    POSIX::setsid();
    POSIX::sigprocmask(POSIX::SIG_UNBLOCK(), POSIX::SigSet->new(POSIX::SIGCHLD()));
    $SIG{$_} = 'DEFAULT' for qw(PIPE HUP);
    if (open(my $oom, '>', '/proc/self/oom_score_adj')) { syswrite $oom, "0\n" }
}

# Looked up once: it takes libraries that a child would have to load each time.
my @myself = (getpwuid $>)[0, 7, 8];

sub become {
    my ($user) = @_;
    return @myself if !length $user;
    my @entry = $user =~ /^\d+$/ ? getpwuid($user) : getpwnam($user);
    @entry or die "there is no user \"$user\"\n";
    my ($name, $uid, $gid, $home, $shell) = @entry[0, 2, 3, 7, 8];
    if ($uid != $> || $gid != POSIX::getegid()) {
        my @groups = ($gid);
        setgrent();
        while (my @group = getgrent()) {
            push @groups, $group[2] if $group[2] != $gid && grep { $_ eq $name } split ' ', $group[3];
        }
        endgrent();
        $) = join ' ', $gid, @groups;
        POSIX::setgid($gid) or die "setgid $gid: $!\n";
        POSIX::setuid($uid) or die "setuid $uid: $!\n";
    }
    return ($name, $home, length $shell ? $shell : '/bin/sh');
}

sub run_child {
    my ($user, $folder, $terminal, $variables, $arguments) = @_;
    my ($name, $home, $shell) = become($user);
    my $root = $> == 0;
    %ENV = (
        PATH => $root ? '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' : '/usr/local/bin:/usr/bin:/bin',
        HOME => $home, USER => $name, LOGNAME => $name, SHELL => $shell, LANG => 'C.UTF-8',
        length $terminal ? (TERM => $terminal) : (),
    );
    for (@$variables) {
        my ($key, $value) = split /=/, $_, 2;
        $ENV{$key} = $value;
    }
    my $where = length $folder ? $folder : length $user ? $home : '/';
    chdir $where or (length $folder ? die "the folder $folder cannot be entered: $!\n" : chdir '/');
    no warnings 'exec';
    exec { $arguments->[0] } @$arguments;
    die "$arguments->[0] cannot be executed: $!\n";
}

sub open_terminal {
    my ($columns, $rows) = @_;
    sysopen(my $master, '/dev/ptmx', O_RDWR | O_NOCTTY) or die "no terminal can be had: $!\n";
    my $lock = pack 'i', 0;
    ioctl($master, 0x40045431, $lock) or die "no terminal can be had: $!\n";
    my $number = pack 'i', 0;
    ioctl($master, 0x80045430, $number) or die "no terminal can be had: $!\n";
    resize($master, $columns, $rows);
    return ($master, '/dev/pts/' . unpack 'i', $number);
}

sub resize {
    my ($master, $columns, $rows) = @_;
    my $size = pack 'S4', $rows, $columns, 0, 0;
    ioctl($master, 0x5414, $size);
}

# A shell that has started and waits for a command on its standard input. It is made just before the machine is copied: each copy's first
# command, which would otherwise run all that it takes to start a program for the first time, then begins at once.
sub prepare_shell {
    return send_frame(0, 'B', '') if $ready_shell && $ready_shell->{waits};
    return if $ready_shell;
    my ($job_read, $job_write, $out_read, $out_write, $err_read, $err_write, $pid);
    pipe($job_read, $job_write) && pipe($out_read, $out_write) && pipe($err_read, $err_write) && defined($pid = fork)
        or return send_frame(0, 'B', '');
    if (!$pid) {
        eval {
            child_setup();
            hurry('self', $HURRY);
            POSIX::dup2(fileno $job_read, 0);
            POSIX::dup2(fileno $out_write, 1);
            POSIX::dup2(fileno $err_write, 2);
            run_child('', '', '', [], ['/bin/sh']);
        };
        POSIX::_exit(127);
    }
    nonblocking($_) for $out_read, $err_read;
    $ready_shell = { pid => $pid, job => $job_write, out => $out_read, err => $err_read, looks => 0 };
}

# The kernel has no event for a process that waits; a shell that is given its command before it does is only slower.
sub look_at_ready_shell {
    return unless slurp("/proc/$ready_shell->{pid}/wchan") =~ /pipe/ || ++$ready_shell->{looks} > 100;
    $ready_shell->{waits} = 1;
    send_frame(0, 'B', '');
}

# Whether the shell that waits took the command. It ends with its input, which from the first word on is the command's own.
sub give_to_ready_shell {
    my ($id, $command) = @_;
    return 0 if !$ready_shell || !$ready_shell->{waits} || length $command > $LONGEST_FOR_READY_SHELL || $command =~ /\n/;
    my $shell = $ready_shell;
    undef $ready_shell;
    if (!syswrite $shell->{job}, "exec </dev/null; $command") {
        kill 'KILL', $shell->{pid};
        return 0;
    }
    $by_pid{$shell->{pid}} = $streams{$id} = {
        id => $id, pid => $shell->{pid}, out => $shell->{out}, err => $shell->{err}, pending => '', out_credit => $WINDOW, err_credit => $WINDOW,
    };
    push @hurried, [ticks() + $HURRY_TICKS, $shell->{pid}];
    send_frame($id, 'A', pack 'N', $shell->{pid});
    return 1;
}

# Hundredths of a second since some moment, whatever is done to the clock.
sub ticks { (POSIX::times())[0] }

# Each command has a session of its own, which the scheduler treats as a group with a niceness that no process sees.
sub hurry {
    my ($process, $nice) = @_;
    open(my $group, '>', "/proc/$process/autogroup") or return;
    syswrite $group, $nice;
}

sub start_command {
    my ($id, $payload) = @_;
    my ($columns, $rows, $no_input, @fields) = unpack 'nnC(N/a*)*', $payload;
    my ($user, $folder, $terminal, $count) = splice @fields, 0, 4;
    my @arguments = splice @fields, 0, $count;
    return if $no_input && !$columns && !length "$user$folder" && !@fields && $count == 3 && "@arguments[0, 1]" eq '/bin/sh -c'
        && give_to_ready_shell($id, $arguments[2]);
    my ($in_read, $in_write, $out_read, $out_write, $err_read, $err_write, $slave);
    pipe(my $status_read, my $status_write) or return fail_stream($id, "pipe: $!");
    if ($columns) {
        eval { ($in_write, $slave) = open_terminal($columns, $rows); 1 } or return fail_stream($id, $@);
        $out_read = $in_write;
    } else {
        ($no_input ? open($in_read, '<', '/dev/null') : pipe($in_read, $in_write))
            && pipe($out_read, $out_write) && pipe($err_read, $err_write) or return fail_stream($id, "pipe: $!");
        nonblocking($err_read);
    }
    nonblocking($_) for grep { defined } $in_write, $out_read;
    my $pid = fork;
    defined $pid or return fail_stream($id, "no process can be made: $!");
    if (!$pid) {
        eval {
            child_setup();
            if (defined $slave) {
                sysopen($in_read, $slave, O_RDWR) or die "$slave: $!\n";
                ioctl($in_read, 0x540E, 0);
                $out_write = $err_write = $in_read;
            }
            POSIX::dup2(fileno $in_read, 0);
            POSIX::dup2(fileno $out_write, 1);
            POSIX::dup2(fileno $err_write, 2);
            run_child($user, $folder, $terminal, \@fields, \@arguments);
        };
        syswrite $status_write, $@;
        POSIX::_exit(127);
    }
    nonblocking($status_read);
    $by_pid{$pid} = $streams{$id} = {
        id => $id, pid => $pid, in => $in_write, out => $out_read, err => $err_read, status => $status_read, terminal => defined $slave,
        pending => '', out_credit => $WINDOW, err_credit => $WINDOW,
    };
}

sub start_watch {
    my ($id, $payload) = @_;
    my ($kind, $subject) = unpack 'a1a*', $payload;
    pipe(my $read, my $write) or return fail_stream($id, "pipe: $!");
    my $pid = fork;
    defined $pid or return fail_stream($id, "no process can be made: $!");
    if (!$pid) {
        child_setup();
        close $port;
        POSIX::close($children) if $children >= 0;
        # Nobody sees the end of what still has a writer, and this process stays.
        undef $ready_shell;
        (%streams, %by_pid, @drains) = ();
        my $code = eval { watch($kind, $subject, $write) };
        syswrite $write, $@ if !defined $code;
        POSIX::_exit(defined $code ? $code : 4);
    }
    nonblocking($read);
    $by_pid{$pid} = $streams{$id} = {
        id => $id, pid => $pid, out => $read, pending => '', out_credit => $WINDOW, err_credit => 0,
    };
    send_frame($id, 'A', pack 'N', $pid);
}

sub start_connection {
    my ($id, $target) = @_;
    my @ways = ([AF_UNIX, sub { pack_sockaddr_un($target) }]);
    if ($target =~ /^\d+$/) {
        @ways = (
            [AF_INET, sub { pack_sockaddr_in($target, inet_aton('127.0.0.1')) }],
            [AF_INET6, sub { pack_sockaddr_in6($target, inet_pton(AF_INET6, '::1')) }],
            map { my $own = $_; [$own =~ /:/ ? AF_INET6 : AF_INET, sub {
                $own =~ /:/ ? pack_sockaddr_in6($target, inet_pton(AF_INET6, $own)) : pack_sockaddr_in($target, inet_aton($own)) }] }
                listening_addresses($target),
        );
    }
    my $why = 'no address';
    for my $way (@ways) {
        my ($family, $address) = @$way;
        socket(my $socket, $family, SOCK_STREAM, 0) or $why = $!, next;
        # To the machine itself a connection is made or refused at once.
        connect($socket, $address->()) or $why = $!, next;
        binmode $socket;
        nonblocking($socket);
        $streams{$id} = { id => $id, in => $socket, out => $socket, socket => 1, pending => '', out_credit => $WINDOW, err_credit => 0 };
        return send_frame($id, 'A', pack 'N', 0);
    }
    fail_stream($id, $why);
}

sub finish {
    my ($stream, $kind, $code) = @_;
    my $id = $stream->{id};
    send_frame($id, 'T', pack 'CN', $kind, $code) unless $stream->{orphan};
    delete $streams{$id};
    delete $by_pid{$stream->{pid}} if $stream->{pid};
    return if $stream->{socket} || $stream->{killed};
    # What the command left in the background may go on writing, into nothing.
    for my $handle (grep { defined } $stream->{out}, $stream->{err}) {
        push @drains, $handle;
    }
    shift @drains while @drains > $MAX_DRAINS;
}

sub read_from {
    my ($stream, $which) = @_;
    my $room = $stream->{orphan} ? $CHUNK : $stream->{"${which}_credit"};
    my $count = sysread($stream->{$which}, my $data, $room < $CHUNK ? $room : $CHUNK);
    if (!defined $count) {
        return 0 if $! == EAGAIN || $! == EINTR;
        $count = 0;
    }
    if (!$count) {
        undef $stream->{$which};
        send_frame($stream->{id}, $which eq 'out' ? 'Q' : 'q', '') unless $stream->{orphan};
        return 0;
    }
    return $count if $stream->{orphan};
    $stream->{"${which}_credit"} -= $count;
    send_frame($stream->{id}, $which eq 'out' ? 'O' : 'F', $data);
    return $count;
}

sub write_to {
    my ($stream) = @_;
    my $count = syswrite($stream->{in}, $stream->{pending}, $CHUNK);
    if (!defined $count) {
        return if $! == EAGAIN || $! == EINTR;
        # Nobody reads any more: what is still to come is taken and forgotten.
        $count = length $stream->{pending};
        $stream->{deaf} = 1;
        undef $stream->{in} unless $stream->{socket} || $stream->{terminal};
    }
    substr($stream->{pending}, 0, $count, '');
    send_frame($stream->{id}, 'c', pack 'N', $count) unless $stream->{orphan};
    end_input($stream) if $stream->{ending} && $stream->{in} && !length $stream->{pending};
}

sub end_input {
    my ($stream) = @_;
    if ($stream->{socket}) {
        shutdown($stream->{in}, 1);
        $stream->{half} = 1;
    } elsif ($stream->{terminal}) {
        syswrite $stream->{in}, "\x04";
    }
    undef $stream->{in} unless $stream->{socket} || $stream->{terminal};
    $stream->{ending} = 0;
    $stream->{deaf} = 1;
}

# A process that has only just been made has no group of its own yet.
sub signal_group {
    my ($pid, $signal) = @_;
    kill($signal, -$pid) or kill $signal, $pid;
}

sub kill_all {
    my ($stream, $signal) = @_;
    my $pid = $stream->{pid} or return;
    signal_group($pid, $signal);
    return unless $stream->{terminal};
    # A shell on a terminal gives each job a process group of its own; they share its session.
    opendir(my $proc, '/proc') or return;
    for my $other (grep { /^\d+$/ } readdir $proc) {
        my @fields = split ' ', slurp("/proc/$other/stat") =~ s/^.*\)//sr;
        kill $signal, $other if @fields > 3 && $fields[3] == $pid;
    }
}

# --- what can be waited for; each runs in a process of its own and says what it sees, a line each time that changes

my $told = '';

sub report {
    my ($where, $state) = @_;
    $state =~ s/\s+/ /g;
    syswrite $where, "$state\n" if $state ne $told;
    $told = $state;
}

sub pause { select undef, undef, undef, $_[0] }

sub watch {
    my ($kind, $subject, $where) = @_;
    return watch_unit($subject, $where) if $kind eq 'u';
    return watch_port($subject, $where, 1) if $kind eq 'p';
    return watch_port($subject, $where, 0) if $kind eq 'n';
    return watch_file($subject, $where) if $kind eq 'f';
    return watch_command($subject, $where, $kind eq 'c');
}

# The kernel has no event for a port that is listened on, so its list is read again.
sub watch_port {
    my ($wanted, $where, $open) = @_;
    my $pattern = sprintf ':%04X [0-9A-F]+:0000 0A ', $wanted;
    for (my $wait = 0.01; ; $wait = $wait < 0.1 ? $wait * 1.3 : $wait) {
        my $listens = (slurp('/proc/net/tcp') . slurp('/proc/net/tcp6')) =~ /$pattern/;
        return 0 if $listens ? $open : !$open;
        report($where, $open ? "nothing listens on port $wanted" : "something listens on port $wanted");
        pause($wait);
    }
}

sub listening_addresses {
    my ($wanted) = @_;
    my @found;
    for (split /\n/, slurp('/proc/net/tcp') . slurp('/proc/net/tcp6')) {
        /^\s*\d+: ([0-9A-F]+):([0-9A-F]{4}) [0-9A-F]+:0000 0A / && hex $2 == $wanted or next;
        my $raw = pack 'L*', map { hex } $1 =~ /(.{8})/g;
        my $text = Socket::inet_ntop(length $raw == 4 ? AF_INET : AF_INET6, $raw);
        push @found, $text unless $text =~ /^(0\.0\.0\.0|127\.0\.0\.1|::1?)$/;
    }
    return @found;
}

sub watch_file {
    my ($path, $where) = @_;
    while (1) {
        return 0 if lstat $path;
        report($where, "$path does not exist");
        my $folder = $path;
        do { $folder =~ s{/+[^/]*$}{}; $folder = '/' unless length $folder } until -d $folder;
        my $events = syscall $sys{inotify}, 02000000;
        # Made, moved here, changed, or the folder itself gone. Some file systems tell nothing: look each second.
        my $name = "$folder";
        syscall $sys{watch}, $events, $name, 0x100 | 0x80 | 0x4 | 0x400 | 0x800 if $events >= 0;
        return 0 if lstat $path;
        my $read = '';
        vec($read, $events, 1) = 1 if $events >= 0;
        select $read, undef, undef, 1;
        POSIX::close($events) if $events >= 0;
    }
}

sub watch_command {
    my ($command, $where, $succeeds) = @_;
    for (my $wait = 0.1; ; $wait = $wait < 2 ? $wait * 1.5 : 2) {
        my ($code, $said) = try_command($command);
        return 0 if $succeeds ? !$code : $code;
        report($where, "exit code $code" . ($said =~ /\S/ ? ", it said: $said" : ''));
        pause($wait);
    }
}

sub try_command {
    my ($command) = @_;
    pipe(my $read, my $write) or die "pipe: $!\n";
    my $pid = fork;
    defined $pid or die "no process can be made: $!\n";
    if (!$pid) {
        eval {
            open STDIN, '<', '/dev/null';
            POSIX::dup2(fileno $write, 1);
            POSIX::dup2(fileno $write, 2);
            run_child('', '', '', [], ['/bin/sh', '-c', $command]);
        };
        POSIX::_exit(127);
    }
    close $write;
    my ($said, $open) = ('', 1);
    while (1) {
        my $set = '';
        vec($set, fileno $read, 1) = 1 if $open;
        # Something left in the background may keep the pipe open: the command's end is what counts.
        if ($open && select $set, undef, undef, 0.05) {
            $open = sysread $read, $said, 4096, length $said;
            $said = substr $said, -1000 if length $said > 1000;
        }
        last if waitpid($pid, $open ? POSIX::WNOHANG() : 0) == $pid;
    }
    return ($? & 127 ? 128 + ($? & 127) : $? >> 8, $said);
}

# systemd tells everyone on its private socket what changes: that is the event to wait for.
sub watch_unit {
    my ($unit, $where) = @_;
    my $path = '/org/freedesktop/systemd1/unit/' . $unit =~ s/([^A-Za-z0-9]|^[0-9])/sprintf '_%02x', ord $1/ger;
    while (1) {
        my $bus = bus_open();
        while (1) {
            my ($state, $detail) = $bus ? bus_state($bus, $path) : asked_state($unit);
            last if !defined $state;
            report($where, "$unit is $state ($detail)");
            return 0 if $state eq 'active';
            return 3 if $state eq 'failed';
            last if !$bus;
            my $message;
            do { $message = bus_receive($bus, 10) } until !defined $message || !length $message || index($message, $path) >= 0;
            last if !defined $message;
        }
        pause($bus ? 0.1 : 0.5);
    }
}

sub asked_state {
    my ($unit) = @_;
    my $said = (try_command("systemctl show -p ActiveState -p SubState -- '" . $unit =~ s/'/'\\''/gr . "'"))[1];
    return ($said =~ /ActiveState=(\S+)/ ? $1 : 'unknown', $said =~ /SubState=(\S+)/ ? $1 : $said);
}

sub bus_open {
    socket(my $bus, AF_UNIX, SOCK_STREAM, 0) or return;
    connect($bus, pack_sockaddr_un('/run/systemd/private')) or return;
    binmode $bus;
    syswrite $bus, sprintf "\0AUTH EXTERNAL %s\r\nBEGIN\r\n", unpack 'H*', $>;
    my $answer = '';
    while ($answer !~ /\n/) {
        sysread $bus, $answer, 1, length $answer or return;
    }
    return $answer =~ /^OK / ? $bus : undef;
}

sub bus_state {
    my ($bus, $path) = @_;
    my @said;
    for my $property ('ActiveState', 'SubState', 'LoadState') {
        my $value = bus_property($bus, $path, $property);
        return if !defined $value;
        push @said, $value;
    }
    return ($said[0], $said[2] eq 'loaded' ? $said[1] : $said[2]);
}

my $serial = 0;

sub bus_property {
    my ($bus, $path, $property) = @_;
    my $body = bus_text('org.freedesktop.systemd1.Unit');
    $body .= "\0" x (-length($body) % 4) . bus_text($property);
    my $fields = '';
    for ([1, 'o', $path], [2, 's', 'org.freedesktop.DBus.Properties'], [3, 's', 'Get']) {
        $fields .= "\0" x (-length($fields) % 8) . pack('CCaC', $_->[0], 1, $_->[1], 0) . bus_text($_->[2]);
    }
    $fields .= "\0" x (-length($fields) % 8) . pack('CCaCCa2C', 8, 1, 'g', 0, 2, 'ss', 0);
    my $size = length $fields;
    syswrite $bus, pack('aCCCVVV', 'l', 1, 0, 1, length $body, ++$serial, $size) . $fields . "\0" x (-$size % 8) . $body or return;
    while (1) {
        my $message = bus_receive($bus, 10);
        return if !defined $message || !length $message;
        my ($type, $length) = unpack 'xCxxV', $message;
        next if $type != 2 && $type != 3;
        my $answer = substr $message, length($message) - $length;
        return $type == 2 && $answer =~ /^\x01s\0/ ? unpack 'x4 V/a*', $answer : undef;
    }
}

sub bus_text { pack 'V/a* x', $_[0] }

# The next message; empty when there is none for some seconds, undefined at the end of the connection.
sub bus_receive {
    my ($bus, $patience) = @_;
    my ($message, $wanted) = ('', 16);
    while (length $message < $wanted) {
        my $set = '';
        vec($set, fileno $bus, 1) = 1;
        return length $message ? undef : '' unless select $set, undef, undef, $patience;
        sysread $bus, $message, $wanted - length $message, length $message or return;
        if ($wanted == 16 && length $message == 16) {
            my ($body, $fields) = unpack 'x4 V x4 V', $message;
            $wanted = 16 + $fields + -$fields % 8 + $body;
            return if $wanted > 1 << 20;
        }
    }
    return $message;
}

# --- frames from the host

my %handlers = (
    X => \&start_command,
    W => \&start_watch,
    C => \&start_connection,
    D => sub {
        my ($id, $payload) = @_;
        my $stream = $streams{$id} or return;
        return send_frame($id, 'c', pack 'N', length $payload) if $stream->{deaf} || !$stream->{in};
        $stream->{pending} .= $payload;
    },
    E => sub {
        my $stream = $streams{$_[0]} or return;
        return if $stream->{deaf} || !$stream->{in};
        length $stream->{pending} ? $stream->{ending} = 1 : end_input($stream);
    },
    c => sub {
        my $stream = $streams{$_[0]} or return;
        my ($which, $count) = unpack 'CN', $_[1];
        $stream->{$which ? 'err_credit' : 'out_credit'} += $count;
    },
    S => sub {
        my $stream = $streams{$_[0]} or return;
        my $signal = unpack 'C', $_[1];
        signal_group($stream->{pid}, $signal) if $stream->{pid};
    },
    Z => sub {
        my $stream = $streams{$_[0]} or return;
        resize($stream->{out}, unpack 'nn', $_[1]) if $stream->{terminal} && $stream->{out};
    },
    K => sub {
        my $stream = $streams{$_[0]} or return;
        $stream->{killed} = 1;
        kill_all($stream, 'KILL');
        delete @$stream{qw(in out err)};
        $stream->{pending} = '';
        # A process is forgotten when it is dead.
        finish($stream, 2, 0) unless $stream->{pid};
    },
    B => \&prepare_shell,
    P => sub { send_frame(0, 'P', $_[1]) },
);

sub reset_channel {
    my ($payload) = @_;
    my ($nonce, $seconds, $nanoseconds, $entropy, $machine_id) = unpack 'x16 a16 Q> N n/a* n/a*', $payload;
    if ($seconds) {
        my $time = pack 'qq', $seconds, $nanoseconds;
        syscall($sys{settime}, 0, $time);
    }
    if ($random && length $entropy) {
        my $add = pack 'iia*', 8 * length $entropy, length $entropy, $entropy;
        ioctl($random, 0x40085203, $add) or syswrite $random, $entropy;
        ioctl($random, 0x5207, 0);
    }
    if (length $machine_id && $machine_id =~ /^[0-9a-f]{32}\z/ && open(my $file, '>', '/etc/machine-id')) {
        print $file "$machine_id\n";
    }
    # What ran for the host of before runs on, and nobody listens to it; its connections end.
    my %old;
    for my $stream (grep { !$_->{socket} } values %streams) {
        $stream->{orphan} = 1;
        $old{$stream->{id} = 'orphan-' . ++$orphans} = $stream;
    }
    %streams = %old;
    $out = '';
    $synced = 1;
    send_frame(0, 'R', $MAGIC . $nonce . $boot_id);
}

sub take_input {
    my $before = length $input;
    my $count = sysread($port, $input, 65536, $before);
    if (!defined $count) {
        return if $! == EAGAIN || $! == EINTR;
        $count = 0;
    }
    if (!$count) {
        if ($ends_with_host) {
            # On the host nothing it started may stay.
            kill 'KILL', map { (-$_, $_) } keys %by_pid, $ready_shell ? $ready_shell->{pid} : ();
            exit;
        }
        # No host. The port stays readable without saying anything, so it is left alone for a while.
        $port_up = 0;
        return;
    }
    # A host that begins anew may find us in the middle of a frame: its reset is seen wherever it stands.
    my $at = index $input, $MAGIC, $before > 15 ? $before - 15 : 0;
    while ($at >= 0) {
        if ($at >= 9 && substr($input, $at - 5, 5) eq "\0\0\0\0R") {
            substr($input, 0, $at - 9, '');
            $synced = 1;
            last;
        }
        $at = index $input, $MAGIC, $at + 1;
    }
    if (!$synced) {
        substr($input, 0, length($input) - 64, '') if length $input > 64;
        return;
    }
    while (length $input >= 9) {
        my ($size, $stream, $type) = unpack 'NNa', $input;
        if ($size > $MAX_FRAME) {
            $synced = 0;
            $input = '';
            return;
        }
        last if length $input < 9 + $size;
        my $payload = substr $input, 9, $size;
        substr($input, 0, 9 + $size, '');
        if ($type eq 'R') {
            reset_channel($payload);
        } elsif (my $handler = $handlers{$type}) {
            if ($type =~ /[XWC]/ && (exists $streams{$stream} || keys %streams >= $MAX_STREAMS)) {
                fail_stream($stream, "there are too many processes and connections on the channel");
            } else {
                $handler->($stream, $payload);
            }
        }
    }
}

sub reap {
    while ((my $pid = waitpid -1, POSIX::WNOHANG()) > 0) {
        if ($ready_shell && $ready_shell->{pid} == $pid) {
            send_frame(0, 'B', '') unless $ready_shell->{waits};
            undef $ready_shell;
        }
        my $stream = delete $by_pid{$pid} or next;
        $stream->{ended} = $?;
        # All that it wrote is in the pipes now, and they hold no more than this.
        $stream->{rest} = { out => 65536, err => 65536 };
    }
}

sub settle {
    my ($stream) = @_;
    if ($stream->{socket}) {
        finish($stream, 0, 0) if !$stream->{out} && $stream->{half};
        return;
    }
    defined $stream->{ended} && !$stream->{status} or return;
    for my $which (grep { $stream->{$_} } 'out', 'err') {
        while ($stream->{$which} && $stream->{rest}{$which} > 0) {
            return if !$stream->{orphan} && ($stream->{"${which}_credit"} <= 0 || length $out > $HIGH);
            my $count = read_from($stream, $which) or last;
            $stream->{rest}{$which} -= $count;
        }
        $stream->{rest}{$which} = 0;
    }
    my $signal = $stream->{ended} & 127;
    finish($stream, $signal ? 1 : 0, $signal || $stream->{ended} >> 8);
}

sub take_status {
    my ($stream) = @_;
    my $count = sysread($stream->{status}, my $why, 4096);
    return if !defined $count && ($! == EAGAIN || $! == EINTR);
    undef $stream->{status};
    if ($count) {
        fail_stream($stream->{id}, $why) unless $stream->{orphan};
        delete $streams{$stream->{id}};
        delete $by_pid{$stream->{pid}};
    } else {
        send_frame($stream->{id}, 'A', pack 'N', $stream->{pid}) unless $stream->{orphan};
    }
}

sub turn {
    my ($read, $write) = ('', '');
    my $timeout = $children < 0 && %by_pid ? 0.05 : undef;
    if ($port_up) {
        vec($read, fileno $port, 1) = 1;
        vec($write, fileno $port, 1) = 1 if length $out;
    } else {
        $timeout = 0.1;
    }
    vec($read, $children, 1) = 1 if $children >= 0;
    my $room = length $out < $HIGH;
    for my $stream (values %streams) {
        if ($stream->{status}) {
            vec($read, fileno $stream->{status}, 1) = 1;
            next;
        }
        for my $which ('out', 'err') {
            vec($read, fileno $stream->{$which}, 1) = 1
                if $stream->{$which} && ($stream->{orphan} || $room && $stream->{"${which}_credit"} > 0);
        }
        vec($write, fileno $stream->{in}, 1) = 1 if $stream->{in} && length $stream->{pending};
    }
    vec($read, fileno $_, 1) = 1 for @drains;
    $timeout = 0.01 if $ready_shell && !$ready_shell->{waits};
    $timeout = 0.1 if @hurried && !defined $timeout;
    my $ready = select $read, $write, undef, $timeout;
    if ($ready < 0) {
        return if $! == EINTR;
        die "select: $!\n";
    }
    if (!$port_up) {
        $port_up = 1;
    } elsif (vec $read, fileno $port, 1) {
        take_input();
    }
    look_at_ready_shell() if $ready_shell && !$ready_shell->{waits};
    hurry((shift @hurried)->[1], 0) while @hurried && $hurried[0][0] <= ticks();
    if ($children >= 0 && vec $read, $children, 1) {
        POSIX::read($children, my $information, 128 * 16);
        reap();
    } elsif ($children < 0) {
        reap();
    }
    # Each stream in its turn gets one piece, so that none holds the others up.
    my @order = sort keys %streams;
    push @order, splice @order, 0, $turn++ % @order if @order > 1;
    for my $id (@order) {
        my $stream = $streams{$id} or next;
        if ($stream->{status}) {
            take_status($stream) if vec $read, fileno $stream->{status}, 1;
            next if $stream->{status} || !$streams{$id};
        }
        for my $which ('out', 'err') {
            next unless $stream->{$which} && vec $read, fileno $stream->{$which}, 1;
            read_from($stream, $which) if $stream->{orphan} || $stream->{"${which}_credit"} > 0 && length $out < $HIGH;
        }
        write_to($stream) if $stream->{in} && length $stream->{pending} && vec $write, fileno $stream->{in}, 1;
        settle($stream);
    }
    @drains = grep { !vec($read, fileno $_, 1) || drained($_) } @drains if @drains;
    if (length $out && $port_up) {
        my $count = syswrite $port, $out, $CHUNK;
        substr($out, 0, $count, '') if $count;
    }
}

sub drained {
    my ($handle) = @_;
    my $count = sysread $handle, my $data, 65536;
    return defined $count ? $count > 0 : $! == EAGAIN || $! == EINTR;
}

@ARGV == 1 or die "usage: guest-channel.pl PORT\n";
$SIG{$_} = 'IGNORE' for qw(PIPE HUP);
open_port($ARGV[0]);
watch_children();
open($random, '+<', '/dev/random') or undef $random;
$boot_id = slurp('/proc/sys/kernel/random/boot_id');
if (open(my $oom, '>', '/proc/self/oom_score_adj')) { syswrite $oom, "-900\n" }
hurry('self', $OWN_NICENESS);
turn() while 1;
