using System.Text;
using CsCheck;
using Microsoft.Extensions.Time.Testing;
using Virtigo.Hypervisors;
using Virtigo.Installers;
using Virtigo.Installers.Ubuntu;
using Virtigo.Tests.Machines;
using Xunit;

namespace Virtigo.Tests.Installers;

public sealed class UbuntuWatcherTests
{
    private readonly FakeTimeProvider _clock = new();
    private readonly List<InstallEvent> _events = [];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public void Reports_lead_through_the_stages_and_progress_never_falls()
    {
        UbuntuWatcher watcher = Watch();
        string[] steps =
        [
            "subiquity/Early/apply_autoinstall_config", "subiquity/Install/install/configure_apt", "subiquity/Install/install/curtin_install",
            "subiquity/Install/install/curtin_install/run_curtin_step/cmd-install/stage-partitioning/builtin/cmd-block-meta",
            "subiquity/Install/install/curtin_install/run_curtin_step/cmd-install/stage-extract/builtin/cmd-extract",
            "subiquity/Install/install/curtin_install/run_curtin_step/cmd-install/stage-curthooks/builtin/cmd-curthooks/installing-kernel",
            "subiquity/Install/install/postinstall/install_nginx", "subiquity/Late/run", "subiquity/Shutdown/shutdown",
        ];
        foreach (string step in steps)
        {
            watcher.Take(new InstallerReport(step, "does " + step, Finished: false, ReportResult.None));
            _clock.Advance(TimeSpan.FromSeconds(20));
            watcher.Take(new InstallerReport(step, "", Finished: true, ReportResult.Success));
            Assert.Null(watcher.Check());
        }

        InstallProgress[] progress = [.. _events.OfType<InstallProgress>()];
        Assert.Equal(
            [InstallStage.Components, InstallStage.Disk, InstallStage.BaseSystem, InstallStage.Kernel, InstallStage.Packages, InstallStage.Finishing],
            progress.Select(one => one.Stage).Distinct());
        Assert.All(progress.Zip(progress.Skip(1)), pair => Assert.True(pair.First.Fraction <= pair.Second.Fraction));
        Assert.Equal("does subiquity/Shutdown/shutdown", progress[^1].Detail);
        Assert.True(watcher.Ending);
        Assert.Equal(20, Math.Round(watcher.Timings[InstallStage.Packages].Seconds));
        Assert.Null(watcher.Explain());
    }

    [Fact]
    public void A_failure_names_the_innermost_step_its_stage_and_the_last_lines()
    {
        UbuntuWatcher watcher = Watch();
        watcher.Take(new InstallerReport("subiquity/Install/install/curtin_install/cmd-install/stage-extract", "writing install sources to disk", false, ReportResult.None));
        watcher.Take(new InstallerReport("subiquity/Install/install/curtin_install/cmd-install/stage-extract", "writing install sources to disk", true, ReportResult.Failure));
        watcher.Take(new InstallerReport("subiquity/Install/install", "", true, ReportResult.Failure));
        Assert.Null(watcher.Check());
        watcher.FeedLog(Encoding.UTF8.GetBytes("OSError: no space left\n" + UbuntuSeed.Failed + "\r\n"));

        InstallFailure failure = watcher.Check()!;
        Assert.Equal(FailureKind.Install, failure.Kind);
        Assert.Equal("The installer failed in the stage BaseSystem: subiquity/Install/install/curtin_install/cmd-install/stage-extract failed: writing install sources to disk.",
            failure.Message);
        Assert.Contains("OSError: no space left", failure.Evidence);
        Assert.Contains("OSError: no space left", watcher.LastLines(5));
    }

    [Fact]
    public void A_step_of_the_specs_own_that_failed_is_named_in_its_own_words()
    {
        UbuntuWatcher watcher = Watch();
        watcher.FeedLog("virtigo: step failed: run: the command in web.yml:3:6 failed\nvirtigo: the installer failed\n"u8);
        Assert.Contains("run: the command in web.yml:3:6 failed.", watcher.Check()!.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_step_that_failed_and_was_done_again_is_no_failure_of_the_install()
    {
        UbuntuWatcher watcher = Watch();
        watcher.Take(new InstallerReport("subiquity/Mirror/check", "", true, ReportResult.Failure));
        _clock.Advance(TimeSpan.FromMinutes(1));
        watcher.Take(new InstallerReport("subiquity/Install/install", "", false, ReportResult.None));
        Assert.Null(watcher.Check());
    }

    [Fact]
    public void Silence_after_a_failed_step_ends_the_install_and_longer_silence_ends_any()
    {
        UbuntuWatcher failed = Watch();
        failed.Take(new InstallerReport("subiquity/Filesystem/apply", "no disk", true, ReportResult.Failure));
        _clock.Advance(TimeSpan.FromMinutes(3));
        Assert.Contains("subiquity/Filesystem/apply failed: no disk", failed.Check()!.Message, StringComparison.Ordinal);

        UbuntuWatcher silent = Watch();
        silent.FeedConsole("booting\n"u8);
        _clock.Advance(TimeSpan.FromMinutes(3));
        Assert.Null(silent.Check());
        _clock.Advance(TimeSpan.FromMinutes(13));
        Assert.Equal(FailureKind.Stalled, silent.Check()!.Kind);
        Assert.Contains("Its last line: booting.", silent.Check()!.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{\"name\": \"a/b\", \"description\": \"c\", \"event_type\": \"finish\", \"result\": \"FAIL\", \"origin\": \"curtin\", \"level\": \"INFO\"}", "a/b|c|True|Failure")]
    [InlineData("{\"name\": \"a\", \"event_type\": \"start\"}", "a||False|None")]
    [InlineData("{\"name\": \"a\\u001b[2J\", \"event_type\": \"start\", \"description\": 5}", "a?[2J||False|None")]
    [InlineData("{\"name\": \"a\", \"event_type\": \"other\"}", null)]
    [InlineData("{\"event_type\": \"start\"}", null)]
    [InlineData("[]", null)]
    [InlineData("{", null)]
    [InlineData("{\"name\": \"\\ud800\", \"event_type\": \"start\"}", null)]
    public void A_report_is_read_as_it_was_sent_or_not_at_all(string json, string? expected)
    {
        InstallerReport? report = InstallerReport.Parse(Encoding.UTF8.GetBytes(json));
        Assert.Equal(expected, report is null ? null : $"{report.Name}|{report.Description}|{report.Finished}|{report.Result}");
    }

    [Fact]
    public void Nothing_that_a_guest_sends_makes_reading_throw()
    {
        Gen<string> pieces = Golden.Pieces("{", "}", "\"name\":", "\"a/b\"", "\"event_type\":", "\"finish\"", "\"start\"", ",", "\"result\":\"FAIL\"", "\\u", "[", "\n",
            "virtigo: step failed: ", UbuntuSeed.Failed, "\u001b", "POST / HTTP/1.1\r\n", "Content-Length: 9\r\n", "\r\n\r\n", "9999999999", "é");
        Gen.Select(pieces.Array[0, 30], Gen.Byte.Array[0, 40]).Sample((words, noise) =>
        {
            byte[] bytes = [.. Encoding.UTF8.GetBytes(string.Concat(words)), .. noise];
            UbuntuWatcher watcher = Watch();
            if (InstallerReport.Parse(bytes) is { } report)
            {
                watcher.Take(report);
            }

            watcher.FeedLog(bytes);
            watcher.FeedConsole(bytes);
            watcher.Check();
            Assert.All(watcher.LastLines(200), line => Assert.DoesNotContain('\u001b', line));
        }, iter: 2000);
    }

    [Fact]
    public async Task A_post_is_answered_and_taken()
    {
        (string answer, List<InstallerReport> taken) = await SendAsync(Post("{\"name\": \"a\", \"event_type\": \"start\"}"));
        Assert.StartsWith("HTTP/1.1 200 OK\r\n", answer, StringComparison.Ordinal);
        Assert.Equal("a", Assert.Single(taken).Name);
    }

    [Theory]
    [InlineData("GET / HTTP/1.1\r\n\r\n", "405")]
    [InlineData("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "411")]
    [InlineData("POST / HTTP/1.1\r\nContent-Length: 999999999\r\n\r\n", "413")]
    [InlineData("POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\n{}", "400")]
    [InlineData("POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}", "400")]
    [InlineData("nothing", "400")]
    [InlineData("", "400")]
    public async Task Anything_else_is_refused(string request, string status)
    {
        (string answer, List<InstallerReport> taken) = await SendAsync(request);
        Assert.StartsWith("HTTP/1.1 " + status, answer, StringComparison.Ordinal);
        Assert.Empty(taken);
    }

    [Fact]
    public async Task A_head_without_end_is_not_read_for_ever()
    {
        (string answer, _) = await SendAsync("POST / HTTP/1.1\r\n" + new string('a', 100_000));
        Assert.StartsWith("HTTP/1.1 400", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_receiver_survives_whatever_comes()
    {
        Gen<string> pieces = Golden.Pieces("POST ", "/ ", "HTTP/1.1", "\r\n", "Content-Length: ", "3", ": ", "{}", "Expect: 100-continue", "\0", "{\"name\":\"a\",\"event_type\":\"start\"}");
        await pieces.Array[0, 20].SampleAsync(async words => Assert.StartsWith("HTTP/1.1 ", (await SendAsync(string.Concat(words))).Answer, StringComparison.Ordinal), iter: 500);
    }

    private static string Post(string body) => $"POST / HTTP/1.1\r\nHost: 10.0.2.2:8377\r\nContent-Type: application/json\r\nContent-Length: {body.Length}\r\nConnection: close\r\n\r\n{body}";

    private static async Task<(string Answer, List<InstallerReport> Taken)> SendAsync(string request)
    {
        var taken = new List<InstallerReport>();
        using var answer = new MemoryStream();
        await new ReportReceiver(taken.Add).ServeAsync(new TwoWayStream(new MemoryStream(Encoding.UTF8.GetBytes(request)), answer), Token);
        return (Encoding.UTF8.GetString(answer.ToArray()), taken);
    }

    private UbuntuWatcher Watch() => new(new UbuntuWatcherOptions { Clock = _clock, Speed = HostSpeed.OfReference, OnEvent = _events.Add });
}
