using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Virtigo.Cli;
using Xunit;

namespace Virtigo.Tests.Cli;

public sealed class CommandLineTests : IDisposable
{
    private readonly CommandRun _command = new();

    public void Dispose() => _command.Dispose();

    private static IEnumerable<Command> Tree(Command command) => command.Subcommands.SelectMany(Tree).Prepend(command);

    [Fact]
    public void Every_verb_has_a_description_and_an_example_that_parses()
    {
        RootCommand root = CommandLine.Build(_command.Host);
        foreach (Verb verb in Tree(root).Skip(1).Cast<Verb>())
        {
            Assert.NotEmpty(verb.Description!);
            Assert.NotEmpty(verb.Examples);
            foreach (string example in verb.Examples.Where(example => example.StartsWith("virtigo ", StringComparison.Ordinal)))
            {
                string line = example.Split('#', '|', '>', '<')[0].Trim()["virtigo ".Length..];
                Assert.Empty(root.Parse(line).Errors);
            }
        }
    }

    [Fact]
    public async Task Help_names_what_is_wanted_and_does_not_list_all_that_would_do()
    {
        Assert.Equal(0, await _command.Run("sysrq", "--help"));

        Assert.Contains("<command>  A letter or digit, or one of: ", _command.Data.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Help_of_a_verb_shows_its_examples_and_that_of_the_command_every_exit_code()
    {
        Assert.Equal(0, await _command.Run("explain", "--help"));
        Assert.Contains("Examples:", _command.Data.ToString());
        Assert.Equal(0, await _command.Run("--help"));
        string help = _command.Data.ToString();
        foreach (FailureKind kind in Enum.GetValues<FailureKind>())
        {
            Assert.Matches($@"\b{((int)kind).ToString(CultureInfo.InvariantCulture)} +\w", help);
        }

        Assert.Contains("130  interrupted", help);
    }

    [Theory]
    [InlineData("imags")]
    [InlineData("explain")]
    [InlineData("explain", "a", "b")]
    [InlineData("schema", "--mrkdown")]
    [InlineData("build", "--dryrun")]
    [InlineData("images", "export", "web", "web.img", "--format", "vpc")]
    public async Task A_bad_command_line_is_exit_code_2_on_standard_error(params string[] arguments)
    {
        Assert.Equal(2, await _command.Run(arguments));
        Assert.Empty(_command.Data.ToString());
        Assert.Contains("error: ", _command.People.ToString());
        Assert.Contains("--help", _command.People.ToString());
    }

    [Theory]
    [InlineData("--version")]
    [InlineData("version")]
    public async Task The_version_is_one_line_of_data(string argument)
    {
        Assert.Equal(0, await _command.Run(argument));
        Assert.Equal(CommandLine.Version + "\n", _command.Data.ToString());
        Assert.Empty(_command.People.ToString());
    }

    [Fact]
    public async Task A_wrong_key_is_told_to_people_and_with_json_to_programs()
    {
        string file = _command.File("web.yml", "packges: [nginx]\n");
        Assert.Equal(2, await _command.Run("explain", file));
        Assert.Equal(
            $"error: {file}:1:1: 'packges' is no key of a spec; did you mean 'packages'?\n"
            + "hint: Every key with its values and defaults: virtigo schema --markdown\n",
            _command.People.ToString());
        Assert.Empty(_command.Data.ToString());

        Assert.Equal(2, await _command.Run("explain", file, "--json"));
        using JsonDocument told = JsonDocument.Parse(_command.Data.ToString());
        JsonElement error = told.RootElement.GetProperty("error");
        Assert.Equal("Usage", error.GetProperty("kind").GetString());
        Assert.Equal(2, error.GetProperty("exitCode").GetInt32());
    }

    [Fact]
    public async Task Explain_prints_the_plan_as_text_and_as_json_without_any_request_when_the_release_is_named()
    {
        string file = _command.File("web.yml", "release: trixie\nmirror: http://mirror.example/debian\npackages: [nginx]\nroot: {password: hunter2}\n");
        Assert.Equal(0, await _command.Run("explain", file, "--offline"));
        Assert.Matches(@"(?m)^packages +nginx +.*web\.yml:3$", _command.Data.ToString());
        Assert.DoesNotContain("hunter2", _command.Data.ToString());

        Assert.Equal(0, await _command.Run("explain", file, "--offline", "--json"));
        using JsonDocument told = JsonDocument.Parse(_command.Data.ToString());
        Assert.Equal("web", told.RootElement.GetProperty("name").GetString());
        Assert.Equal(64, told.RootElement.GetProperty("fingerprint").GetString()!.Length);
        Assert.Contains(told.RootElement.GetProperty("values").EnumerateArray(),
            value => value.GetProperty("key").GetString() == "packages" && value.GetProperty("value").GetString() == "nginx");
    }

    [Fact]
    public async Task Schema_prints_json_or_markdown()
    {
        Assert.Equal(0, await _command.Run("schema"));
        using JsonDocument schema = JsonDocument.Parse(_command.Data.ToString());
        Assert.Equal("object", schema.RootElement.GetProperty("type").GetString());
        Assert.Equal(0, await _command.Run("schema", "--markdown"));
        Assert.StartsWith("| key |", _command.Data.ToString());
    }

    [Theory]
    [InlineData("bash", "complete -o default -F _virtigo virtigo")]
    [InlineData("zsh", "compdef _virtigo virtigo")]
    [InlineData("fish", "complete -c virtigo")]
    public async Task Completion_prints_a_script_for_each_shell(string shell, string line)
    {
        Assert.Equal(0, await _command.Run("completion", shell));
        Assert.Contains(line, _command.Data.ToString());
    }

    [Fact]
    public async Task The_command_answers_what_completes_a_line()
    {
        Assert.Equal(0, await _command.Run("[suggest:11]", "virtigo exp"));
        Assert.Contains("explain", _command.Data.ToString().Split('\n'));
    }

    [Fact]
    public async Task An_empty_store_is_an_empty_list_and_a_hint_for_people()
    {
        Assert.Equal(0, await _command.Run("images"));
        Assert.Empty(_command.Data.ToString());
        Assert.Contains("virtigo build debian", _command.People.ToString());
        Assert.Equal(0, await _command.Run("images", "list", "--json"));
        using JsonDocument told = JsonDocument.Parse(_command.Data.ToString());
        Assert.Empty(told.RootElement.GetProperty("images").EnumerateArray());
        Assert.Equal(2, await _command.Run("images", "show", "web"));
        Assert.Equal(2, await _command.Run("images", "rm", "web"));
        Assert.Equal(2, await _command.Run("images", "prune"));
    }

    [Fact]
    public async Task Lint_preseed_tells_findings_with_their_place_and_answers_2()
    {
        _command.File("config/config.yml", "mirror: http://mirror.example/debian\n");
        string file = _command.File("preseed.cfg", "d-i netcfg/get_hostname string web\nd-i netcfg/get_hostname string web2\nd-i apt-setup/security_host string\n");
        Assert.Equal(2, await _command.Run("lint-preseed", file, "--offline"));
        Assert.Contains($"{file}:2:", _command.Data.ToString());
        Assert.Contains("was not checked: Offline", _command.People.ToString());
        Assert.Equal(2, await _command.Run("lint-preseed", file, "--json", "--offline"));
        using JsonDocument told = JsonDocument.Parse(_command.Data.ToString());
        Assert.NotEmpty(told.RootElement.GetProperty("findings").EnumerateArray());
        Assert.Equal(2, await _command.Run("lint-preseed", "no-such-file"));
    }

    [Fact]
    public async Task Doctor_names_everything_it_looked_at()
    {
        int code = await _command.Run("doctor", "--json", "--offline");
        Assert.Contains(code, (int[])[0, (int)FailureKind.Host]);
        using JsonDocument told = JsonDocument.Parse(_command.Data.ToString());
        Assert.Equal(code == 0, told.RootElement.GetProperty("ready").GetBoolean());
        Assert.Contains(told.RootElement.GetProperty("findings").EnumerateArray(), found => found.GetProperty("name").GetString() == "gpgv");
    }
}
