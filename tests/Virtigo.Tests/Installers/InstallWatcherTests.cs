using System.Globalization;
using System.Text;
using CsCheck;
using Microsoft.Extensions.Time.Testing;
using Virtigo.Hypervisors;
using Virtigo.Installers;
using Virtigo.Installers.Debian;
using Xunit;

namespace Virtigo.Tests.Installers;

public sealed class InstallWatcherTests
{
    private readonly FakeTimeProvider _clock = new();
    private readonly List<InstallEvent> _events = [];

    [Fact]
    public void A_real_install_goes_through_every_stage_and_its_progress_never_falls()
    {
        InstallWatcher watcher = Watch();
        Replay(watcher, Golden.Text("install.syslog"));

        InstallProgress[] progress = [.. _events.OfType<InstallProgress>()];
        Assert.Equal(Enum.GetValues<InstallStage>(), progress.Select(p => p.Stage).Distinct());
        Assert.All(progress.Zip(progress.Skip(1)), p => Assert.True(p.First.Fraction <= p.Second.Fraction));
        Assert.True(progress[^1].Fraction > 0.95, $"ended at {progress[^1].Fraction}");
        Assert.Null(watcher.Failure);
        Assert.Null(watcher.Explain());
    }

    [Theory]
    [InlineData("Nov 26", "19:56")]
    [InlineData("Nov 01", " 6:58")]
    [InlineData("Jan 31", " 0:00")]
    public void The_bar_with_the_time_neither_hides_a_question_nor_passes_for_life(string day, string time)
    {
        // As GNU screen draws it at the full minute, here one byte after the other.
        string bar = "\u001b[H\u001b[7m\u001b[m\u001b[32m\u001b[40m[           \u001b[37m\u001b[31m (\u001b[37m1*installer\u001b[31m)\u001b[37m  2 shell  3 shell  "
            + $"4- log           \u001b[32m][\u001b[34m {day} \u001b[37m{time} \u001b[32m]\r\u001b[23B\u001b[0m";
        InstallWatcher asking = Watch();
        Console(asking, "mirrorbad.console");
        _clock.Advance(TimeSpan.FromSeconds(3));
        Draw(asking, bar);
        _clock.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal(FailureKind.Archive, asking.Check()?.Kind);

        InstallWatcher silent = Watch();
        InstallFailure? failure = null;
        for (int minute = 0; minute < 60 && failure is null; minute++)
        {
            Draw(silent, bar);
            _clock.Advance(TimeSpan.FromMinutes(1));
            failure = silent.Check();
        }

        Assert.Equal(FailureKind.Stalled, failure?.Kind);
        Assert.Contains("said nothing", failure!.Message, StringComparison.Ordinal);

        static void Draw(InstallWatcher watcher, string text)
        {
            foreach (byte one in Encoding.ASCII.GetBytes(text))
            {
                watcher.FeedConsole([one]);
            }
        }
    }

    [Fact]
    public void Halfway_through_a_real_install_about_half_is_done()
    {
        InstallWatcher watcher = Watch();
        Replay(watcher, Golden.Text("install.syslog"), until: "04:19:20");
        Assert.InRange(watcher.Progress.Fraction, 0.35, 0.7);
        Assert.Equal(InstallStage.Kernel, watcher.Progress.Stage);
        Assert.Equal("building the initramfs", watcher.Progress.Detail);
    }

    [Theory]
    [InlineData("E: Unable to locate package ngnix", FailureKind.Archive, "no package ngnix", "nginx")]
    [InlineData("dpkg: error processing package nginx (--configure):", FailureKind.Install, "nginx failed to configure", "report")]
    [InlineData("tar: write error: No space left on device", FailureKind.Install, "disk is full", "disk:")]
    [InlineData("E: Failed to fetch http://mirror.example/debian/pool/n.deb  404  Not Found [IP: 10.0.2.2 80]", FailureKind.Archive, "did not give a file", "mirror")]
    [InlineData("W: GPG error: http://mirror.example trixie InRelease: BADSIG 6ED0E7B82643E131", FailureKind.Trust, "signature", "clock")]
    [InlineData("E: The repository 'http://mirror.example trixie InRelease' is not signed.", FailureKind.Trust, "signature", "clock")]
    [InlineData("E: Failed to fetch http://mirror.example/p.deb  Hash Sum mismatch", FailureKind.Trust, "not what the archive's index says", "mirror")]
    [InlineData("nginx : Depends: nginx-common but it is not going to be installed", FailureKind.Archive, "cannot be installed", "exclude")]
    public void What_stops_an_install_is_named_from_its_log(string line, FailureKind kind, string message, string hint)
    {
        InstallWatcher watcher = Watch(new() { NearPackages = _ => ["nginx"] });
        Log(watcher, "main-menu[1]: INFO: Menu item 'pkgsel' selected");
        Log(watcher, "in-target: " + line);
        Assert.Null(watcher.Check());

        Console(watcher, "failure.console");
        InstallFailure failure = Settle(watcher);
        Assert.Equal(kind, failure.Kind);
        Assert.Contains(message, failure.Message, StringComparison.Ordinal);
        Assert.Contains(hint, failure.Hint, StringComparison.Ordinal);
        Assert.Contains(failure.Evidence, l => l.Contains(line, StringComparison.Ordinal));
    }

    [Fact]
    public void A_mistake_that_the_installer_gets_over_is_forgotten()
    {
        InstallWatcher watcher = Watch();
        Log(watcher, "in-target: E: Unable to locate package popularity-contest");
        Log(watcher, "main-menu[1]: INFO: Menu item 'grub-installer' selected");
        Assert.Null(watcher.Explain());
    }

    [Theory]
    [InlineData("localechooser: Preseeded locale ignored: unsupported locale", "locale")]
    [InlineData("tzsetup: Warning: ignoring invalid time zone 'Europe/Berlim'", "Europe/Berlim")]
    public void A_value_that_the_installer_would_replace_in_silence_ends_the_install(string line, string message)
    {
        InstallWatcher watcher = Watch();
        Log(watcher, line);
        Assert.Equal(FailureKind.Usage, watcher.Failure?.Kind);
        Assert.Contains(message, watcher.Failure?.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("kernel: [   12.3] Kernel panic - not syncing: VFS: Unable to mount root fs", "panicked")]
    [InlineData("kernel: [   12.3] Out of memory: Killed process 812 (dpkg) total-vm:1kB", "killed dpkg")]
    public void A_dying_guest_is_named(string line, string message)
    {
        InstallWatcher watcher = Watch();
        Log(watcher, line);
        InstallFailure failure = Assert.IsType<InstallFailure>(watcher.Explain());
        Assert.Equal(FailureKind.Guest, failure.Kind);
        Assert.Contains(message, failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_panic_on_the_console_needs_no_syslog()
    {
        InstallWatcher watcher = Watch();
        watcher.FeedConsole("[    3.1] Kernel panic - not syncing: No working init found.\r\n"u8);
        Assert.Equal(FailureKind.Guest, watcher.Failure?.Kind);
    }

    [Theory]
    [InlineData("dhcp.console", FailureKind.Guest, "no address by DHCP")]
    [InlineData("mirrorbad.console", FailureKind.Archive, "mirror is not what it should be")]
    [InlineData("kernel.console", FailureKind.Install, "kernel package could not be installed")]
    [InlineData("failure.console", FailureKind.Install, "Installation step failed")]
    public void An_error_screen_says_what_it_means(string screen, FailureKind kind, string message)
    {
        InstallWatcher watcher = Watch();
        Console(watcher, screen);
        InstallFailure failure = Settle(watcher);
        Assert.Equal(kind, failure.Kind);
        Assert.Contains(message, failure.Message, StringComparison.Ordinal);
        Assert.Null(failure.Question?.AnswerLine);
    }

    [Fact]
    public void A_question_that_waits_is_named_with_the_line_that_answers_it()
    {
        InstallWatcher watcher = Watch(new() { Templates = Catalog() });
        Console(watcher, "confirm.console");
        Assert.Null(watcher.Check());

        InstallFailure failure = Settle(watcher);
        Assert.Equal(FailureKind.Stalled, failure.Kind);
        Assert.Contains("partman/confirm", failure.Message, StringComparison.Ordinal);
        Assert.Contains("Yes | No", failure.Message, StringComparison.Ordinal);
        Assert.Equal("d-i partman/confirm boolean true", failure.Question?.AnswerLine);
        Assert.Contains(_events, e => e is InstallQuestion { Name: "partman/confirm" });
    }

    [Fact]
    public void Without_templates_debconfs_own_trace_names_the_question()
    {
        InstallWatcher watcher = Watch();
        Log(watcher, "debconf: --> INPUT low netcfg/get_domain");
        Log(watcher, "debconf: <-- 30 question skipped");
        Log(watcher, "debconf: --> INPUT critical netcfg/get_hostname");
        Log(watcher, "debconf: <-- 0 question will be asked");
        Log(watcher, "debconf: --> GO");
        Console(watcher, "hostname.console");
        Assert.Equal("d-i netcfg/get_hostname string VALUE", Settle(watcher).Question?.AnswerLine);
    }

    [Fact]
    public void Silence_is_a_failure_after_a_time_that_follows_the_hosts_speed()
    {
        InstallWatcher slow = Watch(new() { QuietLimit = TimeSpan.FromMinutes(10), Speed = new HostSpeed(HostSpeed.Reference * 2) });
        Log(slow, "main-menu[1]: INFO: Menu item 'partman-base' selected");
        _clock.Advance(TimeSpan.FromMinutes(19));
        Assert.Null(slow.Check());
        _clock.Advance(TimeSpan.FromMinutes(1));
        InstallFailure failure = Assert.IsType<InstallFailure>(slow.Check());
        Assert.Equal(FailureKind.Stalled, failure.Kind);
        Assert.Contains("partman-base", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Watching_ends_with_the_streams()
    {
        InstallWatcher watcher = Watch();
        using var syslog = new MemoryStream(Golden.Bytes("install.syslog"));
        using var console = new MemoryStream();
        Assert.Null(await watcher.WatchAsync(syslog, console, TestContext.Current.CancellationToken));
        Assert.Equal(InstallStage.Finishing, watcher.Progress.Stage);
    }

    [Fact]
    public void Any_bytes_are_watched_without_error() =>
        Gen.Byte.Array[0, 3000].Array[0, 6].Sample(chunks =>
        {
            InstallWatcher watcher = Watch();
            foreach (byte[] chunk in chunks)
            {
                watcher.FeedSyslog(chunk);
                watcher.FeedConsole(chunk);
                _ = watcher.Check();
            }

            InstallProgress progress = watcher.Progress;
            return progress.Fraction is >= 0 and <= 1 && watcher.LastLines(1000).Count <= 200
                && watcher.LastLines(200).All(l => l.Length <= TextLines.MaximumLength);
        }, iter: 100);

    [Fact]
    public void Lines_made_of_real_pieces_are_watched_without_error()
    {
        string[] pieces =
        [
            "Nov 23 04:08:06 ", "main-menu[1]: ", "INFO: Menu item '", "pkgsel", "' selected", "kernel: ", "Out of memory: Killed process 1 (", ")",
            "in-target: ", "99999999 upgraded, ", "9999999 upgraded, 9999999 newly installed", "E: Unable to locate package ", "\n", "^M", "Setting up a (1)",
            "debconf: ", "--> INPUT critical ", "<-- 0 question will be asked", "--> GO", "<-- ", "dpkg: error processing package ", " (--configure):",
        ];
        Golden.Pieces(pieces).Array[0, 80].Sample(line =>
        {
            InstallWatcher watcher = Watch();
            watcher.FeedSyslog(Encoding.UTF8.GetBytes(string.Concat(line) + "\n"));
            _ = watcher.Check();
            return watcher.Progress.StageFraction is >= 0 and <= 1;
        }, iter: 500);
    }

    private InstallWatcher Watch(InstallWatcherOptions? options = null) =>
        new((options ?? new InstallWatcherOptions()) with { Clock = _clock, OnEvent = _events.Add });

    private static void Log(InstallWatcher watcher, string line) => watcher.FeedSyslog(Encoding.UTF8.GetBytes($"Nov 23 04:08:06 {line}\n"));

    private static void Console(InstallWatcher watcher, string file) => watcher.FeedConsole(Golden.Bytes(file));

    private InstallFailure Settle(InstallWatcher watcher)
    {
        _clock.Advance(TimeSpan.FromSeconds(5));
        return Assert.IsType<InstallFailure>(watcher.Check());
    }

    private void Replay(InstallWatcher watcher, string log, string until = "99")
    {
        TimeSpan? last = null;
        foreach (string line in log.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            string stamp = line[7..15];
            if (string.CompareOrdinal(stamp, until) > 0)
            {
                break;
            }

            TimeSpan now = TimeSpan.Parse(stamp, CultureInfo.InvariantCulture);
            if (last is { } before && now > before)
            {
                _clock.Advance(now - before);
            }

            last = now;
            watcher.FeedSyslog(Encoding.UTF8.GetBytes(line + "\n"));
            watcher.Check();
        }
    }

    private static TemplateCatalog Catalog()
    {
        var catalog = new TemplateCatalog();
        catalog.Add("partman-base", new StringReader("Template: partman/confirm\nType: boolean\nDescription: Write the changes to disks?\n"));
        return catalog;
    }
}
