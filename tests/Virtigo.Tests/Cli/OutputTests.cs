using Virtigo.Cli.Output;
using Xunit;

namespace Virtigo.Tests.Cli;

public sealed class OutputTests : IDisposable
{
    private readonly CommandRun _command = new();

    public void Dispose() => _command.Dispose();

    private static OutputMode Mode(bool terminal, bool json, params string[] variables) => OutputMode.Decide(
        name => variables.FirstOrDefault(variable => variable.StartsWith(name + "=", StringComparison.Ordinal))?[(name.Length + 1)..],
        terminal, json, verbose: false);

    [Fact]
    public void Only_a_real_terminal_outside_CI_gets_a_live_display()
    {
        Assert.True(Mode(true, false, "TERM=xterm").Live);
        Assert.False(Mode(true, false, "TERM=xterm", "CI=true").Live);
        Assert.True(Mode(true, false, "TERM=xterm", "CI=false").Live);
        Assert.False(Mode(true, true, "TERM=xterm").Live);
        Assert.False(Mode(true, false, "TERM=dumb").Live);
        Assert.False(Mode(true, false).Live);
        Assert.False(Mode(false, false, "TERM=xterm").Live);
    }

    [Fact]
    public void Colour_needs_a_terminal_and_no_NO_COLOR()
    {
        Assert.True(Mode(true, false, "TERM=xterm").Colour);
        Assert.False(Mode(true, false, "TERM=xterm", "NO_COLOR=1").Colour);
        Assert.False(Mode(false, false, "TERM=xterm").Colour);
    }

    [Fact]
    public void A_failure_is_told_with_hint_and_report_and_gives_its_exit_code()
    {
        var failure = new VirtigoException(FailureKind.Install, "grub failed\u001b[2J\nreally", "look") { ReportDirectory = "/r" };
        Assert.Equal(6, ErrorRenderer.Write(failure, _command.Host, new OutputMode(false, false, false, false)));
        Assert.Equal("error: grub failed?[2J\n  really\nhint: look\nreport: /r\n", _command.People.ToString());
        Assert.Empty(_command.Data.ToString());
    }

    [Fact]
    public void A_failure_in_json_is_one_line_of_data()
    {
        var failure = new VirtigoException(FailureKind.Trust, "bad", "look");
        Assert.Equal(5, ErrorRenderer.Write(failure, _command.Host, new OutputMode(true, false, false, false)));
        Assert.Equal("""{"error":{"kind":"Trust","exitCode":5,"message":"bad","hint":"look"}}""" + "\n", _command.Data.ToString());
    }

    [Fact]
    public void Colour_marks_the_labels_alone()
    {
        ErrorRenderer.Write(new VirtigoException(FailureKind.Usage, "bad"), _command.Host, new OutputMode(false, true, true, false));
        Assert.Equal("\e[31;1merror:\e[0m bad\n", _command.People.ToString());
    }

    [Fact]
    public void An_interruption_is_130_and_a_defect_is_1()
    {
        Assert.Equal(130, ErrorRenderer.Write(new OperationCanceledException(), _command.Host, new OutputMode(false, false, false, false)));
        Assert.Equal(1, ErrorRenderer.Write(new InvalidOperationException("oops"), _command.Host, new OutputMode(false, false, false, false)));
        Assert.Contains("A defect of Virtigo: InvalidOperationException: oops", _command.People.ToString());
    }

    [Theory]
    [InlineData(0, "0 B")]
    [InlineData(1023, "1023 B")]
    [InlineData(1536, "1.5 KiB")]
    [InlineData(641728512, "612 MiB")]
    public void Sizes_read_easily(long bytes, string shown) => Assert.Equal(shown, Words.Size(bytes));

    [Theory]
    [InlineData(0.06, "60 ms")]
    [InlineData(4.24, "4.2 s")]
    [InlineData(31, "31 s")]
    [InlineData(432, "7 m 12 s")]
    [InlineData(3720, "1 h 02 m")]
    public void Times_read_easily(double seconds, string shown) => Assert.Equal(shown, Words.Time(TimeSpan.FromSeconds(seconds)));
}
