using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Time.Testing;
using Virtigo.Host;
using Xunit;

namespace Virtigo.Tests.Host;

public sealed class FailureReportTests : IDisposable
{
    private const UnixFileMode OwnerFile = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private readonly string _root = Directory.CreateTempSubdirectory("virtigo-test-").FullName;
    private readonly FakeTimeProvider _clock = new(new DateTimeOffset(2030, 5, 17, 12, 0, 0, TimeSpan.Zero));

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private HostPaths Paths => new(_root, _root, _root, _root, _root);

    private FailureReportWriter Writer => new(Paths, _clock);

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public async Task A_report_tells_cause_hint_command_and_last_console_lines()
    {
        string log = Path.Combine(_root, "syslog.raw");
        await File.WriteAllTextAsync(log, "all of the log\n", Token);
        string folder = await Writer.WriteAsync(Some(), [new ReportFile("syslog", log), new ReportFile("screen.txt", Text: "a screen")], [], Token);

        Assert.Equal("20300517-120000-web", Path.GetFileName(folder));
        string text = await File.ReadAllTextAsync(Path.Combine(folder, "report.txt"), Token);
        foreach (string part in new[]
        {
            "web: Stalled failure at 2030-05-17 12:00:00", "after 00:07:12, in stage \"partition\"", "Nobody answered", "Set partman/confirm",
            "virtigo build web.yml", "qemu-system-x86_64 -nodefaults", "accelerator: tcg", "Files: syslog, screen.txt", "last line\n",
        })
        {
            Assert.Contains(part, text, StringComparison.Ordinal);
        }

        using var json = JsonDocument.Parse(await File.ReadAllTextAsync(Path.Combine(folder, "report.json"), Token));
        Assert.Equal("Stalled", json.RootElement.GetProperty("kind").GetString());
        Assert.Equal((int)FailureKind.Stalled, json.RootElement.GetProperty("exitCode").GetInt32());
        Assert.Equal("all of the log\n", await File.ReadAllTextAsync(Path.Combine(folder, "syslog"), Token));
    }

    [Fact]
    public async Task Only_the_owner_may_read_a_report()
    {
        string folder = await Writer.WriteAsync(Some(), [new ReportFile("screen.txt", Text: "a screen")], [], Token);
        Assert.All(Directory.EnumerateFiles(folder), file => Assert.Equal(OwnerFile, File.GetUnixFileMode(file)));
        Assert.Equal(OwnerFile | UnixFileMode.UserExecute, File.GetUnixFileMode(folder));
    }

    [Fact]
    public async Task No_secret_is_in_any_file_of_a_report()
    {
        const string secret = "hunter2 €";
        string log = Path.Combine(_root, "syslog.raw");
        await File.WriteAllBytesAsync(log, [0xFF, .. Encoding.UTF8.GetBytes($"passwd: {secret}\n"), 0xFE], Token);
        FailureReport report = Some() with
        {
            Cause = $"The password {secret} is too weak.",
            Hint = secret,
            Rerun = $"virtigo build --password '{secret}'",
            LastConsoleLines = [$"Password: {secret}"],
            HypervisorCommand = $"qemu -append {Uri.EscapeDataString(secret)}",
            Facts = new Dictionary<string, string> { ["mirror"] = $"http://u:{secret}@mirror.example/" },
        };
        string folder = await Writer.WriteAsync(report, [new ReportFile("syslog", log), new ReportFile("s", Text: secret)], [secret, ""], Token);

        foreach (string file in Directory.EnumerateFiles(folder))
        {
            byte[] content = await File.ReadAllBytesAsync(file, Token);
            Assert.Equal(-1, content.AsSpan().IndexOf("hunter2"u8));
            Assert.NotEqual(-1, content.AsSpan().IndexOf("[redacted]"u8));
        }

        Assert.Equal([0xFF, .. "passwd: [redacted]\n"u8, 0xFE], await File.ReadAllBytesAsync(Path.Combine(folder, "syslog"), Token));
    }

    [Fact]
    public async Task The_newest_twenty_reports_are_kept()
    {
        var folders = new List<string>();
        for (int i = 0; i < 23; i++)
        {
            folders.Add(await Writer.WriteAsync(Some() with { Name = $"n{i}" }, [], [], Token));
            _clock.Advance(TimeSpan.FromMinutes(1));
        }

        Assert.Equal(folders.Skip(3).Order(), Directory.EnumerateDirectories(Paths.Reports).Order());
    }

    [Fact]
    public async Task Failures_of_the_same_second_have_a_folder_each()
    {
        string one = await Writer.WriteAsync(Some(), [], [], Token);
        string two = await Writer.WriteAsync(Some(), [], [], Token);
        Assert.Equal(one + "-2", two);
    }

    [Fact]
    public async Task A_log_that_is_missing_does_not_cost_the_report()
    {
        string folder = await Writer.WriteAsync(Some(), [new ReportFile("syslog", Path.Combine(_root, "none"))], [], Token);
        Assert.Equal(["report.json", "report.txt"], Directory.EnumerateFiles(folder).Select(Path.GetFileName).Order());
    }

    [Fact]
    public async Task Of_a_huge_log_whole_lines_of_the_end_are_kept()
    {
        string log = Path.Combine(_root, "syslog.raw");
        await File.WriteAllTextAsync(log, string.Concat(Enumerable.Repeat("secret-0123456789\n", 700_000)) + "the end", Token);
        string folder = await Writer.WriteAsync(Some(), [new ReportFile("syslog", log)], [], Token);
        string kept = await File.ReadAllTextAsync(Path.Combine(folder, "syslog"), Token);
        Assert.InRange(kept.Length, (8 << 20) - 20, 8 << 20);
        Assert.StartsWith("secret-0123456789\n", kept, StringComparison.Ordinal);
        Assert.EndsWith("the end", kept, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("../../x")]
    [InlineData("..")]
    [InlineData("")]
    public async Task A_file_never_leaves_its_report_and_a_failure_leaves_nothing(string name)
    {
        await Assert.ThrowsAsync<ArgumentException>(() => Writer.WriteAsync(Some(), [new ReportFile(name, Text: "")], [], Token));
        Assert.Empty(Directory.EnumerateFileSystemEntries(Paths.Reports));
    }

    [Theory]
    [InlineData("../../etc", "20300517-120000-------etc")]
    [InlineData("", "20300517-120000-build")]
    public async Task A_strange_name_makes_a_plain_folder(string name, string folder) =>
        Assert.Equal(folder, Path.GetFileName(await Writer.WriteAsync(Some() with { Name = name }, [], [], Token)));

    private static FailureReport Some() => new()
    {
        Name = "web",
        Kind = FailureKind.Stalled,
        Cause = "Nobody answered partman/confirm.",
        Hint = "Set partman/confirm.",
        Rerun = "virtigo build web.yml",
        Stage = "partition",
        ElapsedSeconds = 432,
        HypervisorCommand = "qemu-system-x86_64 -nodefaults",
        LastConsoleLines = ["first line", "last line"],
        Facts = new Dictionary<string, string> { ["accelerator"] = "tcg" },
    };
}
