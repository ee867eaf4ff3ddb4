using Virtigo.Testing;
using Xunit;

namespace Virtigo.Tests.Cli;

public sealed class TestVerbTests : IDisposable
{
    private const string Shop = "machines: {server: {}}\ntests:\n  page: [server: a]\n  power cut: [server: b]\n";
    private readonly CommandRun _command = new();

    public void Dispose() => _command.Dispose();

    [Fact]
    public async Task The_names_of_the_tests_are_data()
    {
        string file = _command.File("shop.yml", Shop);
        Assert.Equal(0, await _command.Run("test", file, "--list"));
        Assert.Equal("page\npower cut\n", _command.Data.ToString());
        Assert.Equal(0, await _command.Run("test", file, "--list", "--filter", "POWER"));
        Assert.Equal("power cut\n", _command.Data.ToString());
    }

    [Theory]
    [InlineData("--filter", "nothing", "No test of ")]
    [InlineData("--limit", "5", "'5' is not a duration")]
    [InlineData("--parallel", "0", "expected a number from 1 to 1024, or auto")]
    [InlineData("--repeat", "0", "expected 1 to 100000")]
    [InlineData("--flaky", "maybe", "maybe")]
    public async Task A_bad_option_is_told_before_anything_starts(string option, string value, string told)
    {
        string file = _command.File("shop.yml", Shop);
        Assert.Equal(2, await _command.Run("test", file, option, value));
        Assert.Contains(told, _command.People.ToString());
    }

    [Fact]
    public async Task Two_reports_do_not_share_standard_output()
    {
        string file = _command.File("shop.yml", Shop);
        Assert.Equal(2, await _command.Run("test", file, "--tap", "-", "--junit", "-"));
        Assert.Contains("More than one report would go to standard output", _command.People.ToString());
    }

    [Fact]
    public async Task A_mistake_in_a_step_is_told_with_its_place()
    {
        string file = _command.File("shop.yml", "machines: {server: {}}\ntests:\n  page:\n    - sever: a\n");
        Assert.Equal(2, await _command.Run("test", file));
        Assert.StartsWith($"error: {file}:4:7: 'sever' is neither a machine nor a verb; did you mean 'server'?", _command.People.ToString());
    }

    [Fact]
    public async Task The_reference_of_steps_is_printed()
    {
        Assert.Equal(0, await _command.Run("schema", "test", "--markdown"));
        Assert.Equal(TestReference.Markdown(), _command.Data.ToString());
        Assert.Equal(0, await _command.Run("schema", "test"));
        Assert.StartsWith("{", _command.Data.ToString());
    }
}
