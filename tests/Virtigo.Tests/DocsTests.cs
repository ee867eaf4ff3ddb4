using System.CommandLine;
using System.Text;
using System.Text.RegularExpressions;
using Virtigo.Appliances;
using Virtigo.Cli;
using Virtigo.Environments;
using Virtigo.Host;
using Virtigo.Testing;
using Virtigo.Tests.Cli;
using Xunit;

namespace Virtigo.Tests;

/// <summary>
/// What the pages show is right: each YAML block is a spec that can be planned, a file with machines, or a list of steps; each command line is
/// one that the command takes; each link leads somewhere. A block whose first line is <c># fragment</c> is none of these.
/// </summary>
public sealed partial class DocsTests : IDisposable
{
    private const string SshKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl alice@desk";
    private const string PgpKey = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDMEZ\n-----END PGP PUBLIC KEY BLOCK-----\n";
    private readonly string _home = Directory.CreateTempSubdirectory("virtigo-docs-").FullName;

    public static TheoryData<string> Pages => [.. PagePaths()];

    public void Dispose() => Directory.Delete(_home, recursive: true);

    private static void NothingIs(IEnumerable<string> wrong)
    {
        string all = string.Join('\n', wrong);
        Assert.True(all.Length == 0, all);
    }

    private static IEnumerable<string> PagePaths() =>
        Directory.EnumerateFiles(Path.Combine(Repository.Root, "docs"), "*.md", SearchOption.AllDirectories)
            .Concat(Directory.EnumerateFiles(Repository.Root, "*.md"))
            .Select(path => Path.GetRelativePath(Repository.Root, path)).Order(StringComparer.Ordinal);

    private static string Read(string page) => File.ReadAllText(Path.Combine(Repository.Root, page));

    [Theory]
    [MemberData(nameof(Pages))]
    public async Task Every_yaml_block_of_a_page_is_right(string page)
    {
        CancellationToken cancel = TestContext.Current.CancellationToken;
        foreach (string example in Directory.EnumerateFiles(Path.Combine(Repository.Root, "examples"), "*.yml"))
        {
            File.Copy(example, Path.Combine(_home, Path.GetFileName(example)));
        }

        List<(string Place, string File, string Yaml)> blocks = [.. Blocks(page).Where(block => block.Language == "yaml" && !block.Text.StartsWith("# fragment", StringComparison.Ordinal))
            .Select((block, index) => ($"{page}:{block.Line}", NameOf(block.Text) ?? $"block-{index}.yml", block.Text))];
        foreach ((_, string file, string yaml) in blocks)
        {
            await File.WriteAllTextAsync(Path.Combine(_home, file), yaml, cancel);
        }

        var wrong = new List<string>();
        foreach ((string place, string file, string yaml) in blocks)
        {
            try
            {
                await CheckAsync(Path.Combine(_home, file), yaml, cancel);
            }
            catch (VirtigoException failure)
            {
                wrong.Add($"{place}: {failure.Message}");
            }
        }

        NothingIs(wrong);
    }

    [Theory]
    [MemberData(nameof(Pages))]
    public void Every_command_line_of_a_page_is_one_that_virtigo_takes(string page)
    {
        using var command = new CommandRun();
        RootCommand root = CommandLine.Build(command.Host);
        IEnumerable<string> wrong =
            from line in CommandLines(page)
            let errors = root.Parse(Words(line.Text)).Errors
            where errors.Count > 0
            select $"{page}:{line.Line}: virtigo {line.Text}\n  {string.Join("\n  ", errors.Select(error => error.Message))}";
        NothingIs(wrong);
    }

    [Theory]
    [MemberData(nameof(Pages))]
    public void Every_command_in_a_sentence_has_a_verb_and_options_that_exist(string page)
    {
        using var command = new CommandRun();
        RootCommand root = CommandLine.Build(command.Host);
        IEnumerable<string> wrong =
            from Match span in CommandSpan().Matches(Fence().Replace(Read(page), ""))
            let line = Placeholder().Replace(span.Groups["line"].Value, "1")
            let errors = root.Parse(Words(line)).Errors.Select(error => error.Message).Where(message => !Missing().IsMatch(message)).ToList()
            where errors.Count > 0
            select $"{page}: virtigo {line}\n  {string.Join("\n  ", errors)}";
        NothingIs(wrong);
    }

    [Theory]
    [MemberData(nameof(Pages))]
    public void Every_link_of_a_page_leads_to_a_file_and_a_heading_of_it(string page)
    {
        foreach (Match link in Link().Matches(CodeSpan().Replace(Fence().Replace(Read(page), ""), "")))
        {
            string file = link.Groups["file"].Value;
            string target = file.Length == 0 ? page : Path.GetRelativePath(Repository.Root, Path.GetFullPath(Path.Combine(Repository.Root, Path.GetDirectoryName(page)!, file)));
            Assert.True(Path.Exists(Path.Combine(Repository.Root, target)), $"{page}: there is no {target}");
            if (link.Groups["heading"] is { Success: true, Value: var heading })
            {
                Assert.Contains(heading, Heading().Matches(Fence().Replace(Read(target), "")).Select(match => Anchor(match.Groups[1].Value)));
            }
        }
    }

    [Theory]
    [InlineData("build web.yml --name base   # no file", "build", "web.yml", "--name", "base")]
    [InlineData("step 'link: {to: server}' \"client: curl -sf http://server/\"", "step", "link: {to: server}", "client: curl -sf http://server/")]
    [InlineData("images sbom web > web.spdx.json", "images", "sbom", "web")]
    [InlineData("build web.yml --json | jq .", "build", "web.yml", "--json")]
    [InlineData("lock web.yml && virtigo bundle web.yml", "lock", "web.yml")]
    [InlineData("run web < /dev/null", "run", "web")]
    [InlineData("shell server -- echo ''", "shell", "server", "--", "echo", "")]
    public void Words_of_a_command_line_are_those_of_a_shell(string line, params string[] words) => Assert.Equal(words, Words(line));

    [Fact]
    public void The_front_page_lists_every_task_and_every_way_from_another_tool()
    {
        string front = Read("README.md");
        IEnumerable<string> pages = PagePaths().Where(page => page.StartsWith("docs/tasks/", StringComparison.Ordinal) || page.StartsWith("docs/from-", StringComparison.Ordinal));
        Assert.All(pages, page => Assert.Contains($"({page})", front));
    }

    private async Task CheckAsync(string file, string yaml, CancellationToken cancel)
    {
        if (yaml.StartsWith("- ", StringComparison.Ordinal))
        {
            string steps = string.Concat(yaml.Split('\n').Select(line => $"    {line}\n"));
            TestFile.Parse($"machines: {{server: {{}}, client: {{}}}}\ntests:\n  shown:\n{steps}", file);
        }
        else if (Machines().IsMatch(yaml))
        {
            await EnvironmentReader.LoadAsync(file, cancel);
            if (Tests().IsMatch(yaml))
            {
                TestFile.Parse(yaml, file);
            }
        }
        else
        {
            WriteWhatItNames(yaml);
            foreach (ApplianceSpec spec in SpecReader.Parse(yaml, file, new SpecOptions()))
            {
                await new AppliancePlanner(Host()).PlanAsync(spec, cancel);
            }
        }
    }

    /// <summary>The files beside a spec, of the kind that it takes each for.</summary>
    private void WriteWhatItNames(string yaml)
    {
        foreach (Match named in NamedFile().Matches(yaml))
        {
            (string path, string content) = named.Groups["key"].Success ? (named.Groups["key"].Value, PgpKey)
                : named.Groups["part"].Success ? (named.Groups["part"].Value, "")
                : named.Groups["from"].Success ? (named.Groups["from"].Value, "text\n")
                : (named.Groups["file"].Value, named.Groups["file"].Value.EndsWith(".pub", StringComparison.Ordinal) ? SshKey : "secret");
            string full = Path.Combine(_home, path);
            Directory.CreateDirectory(Path.GetDirectoryName(full)!);
            File.WriteAllText(full, content);
        }
    }

    private PlannerEnvironment Host()
    {
        string keys = Path.Combine(_home, "ssh");
        Directory.CreateDirectory(keys);
        File.WriteAllText(Path.Combine(keys, "id_ed25519.pub"), SshKey + "\n");
        return new PlannerEnvironment
        {
            Paths = HostPaths.FromEnvironment(name => name == "VIRTIGO_HOME" ? Path.Combine(_home, "home") : null),
            ResolveRelease = (_, suite, _) => Task.FromResult(new ResolvedRelease(suite == "stable" ? "trixie" : suite, "13.1", suite)),
            FindHostMirror = () => new HostMirror(new Uri("http://mirror.example/debian"), "/etc/apt/sources.list:1"),
            FindHostSecurityMirror = () => new HostMirror(new Uri("http://mirror.example/debian-security"), "/etc/apt/sources.list:2"),
            SshDirectory = keys,
            Variable = _ => "secret",
            Ask = (_, _) => Task.FromResult<string?>("secret"),
            AgentKeys = _ => Task.FromResult<IReadOnlyList<string>>([SshKey]),
        };
    }

    /// <summary>The name that the first line of a block gives it, as in <c># web.yml</c>.</summary>
    private static string? NameOf(string yaml) => FirstLineName().Match(yaml) is { Success: true } name ? Path.GetFileName(name.Groups[1].Value) : null;

    private static IEnumerable<(int Line, string Language, string Text)> Blocks(string page)
    {
        string text = Read(page);
        return Fence().Matches(text).Select(match => (text.AsSpan(0, match.Index).Count('\n') + 2, match.Groups["language"].Value, match.Groups["text"].Value));
    }

    /// <summary>The lines of console blocks, with a prompt or without, that begin with the command; without its name.</summary>
    private static IEnumerable<(int Line, string Text)> CommandLines(string page) =>
        from block in Blocks(page)
        where block.Language is "" or "console"
        from line in block.Text.Replace("\\\n", "", StringComparison.Ordinal).Split('\n').Index()
        let command = CommandStart().Match(line.Item)
        where command.Success
        select (block.Line + line.Index, line.Item[command.Length..]);

    /// <summary>The words a shell would make of a line, up to its comment or whatever comes after the command.</summary>
    private static List<string> Words(string line)
    {
        var words = new List<string>();
        StringBuilder? word = null;
        char quote = '\0';
        foreach (char at in line)
        {
            if (quote != '\0')
            {
                if (at == quote)
                {
                    quote = '\0';
                }
                else
                {
                    word!.Append(at);
                }
            }
            else if (at is '\'' or '"')
            {
                word ??= new StringBuilder();
                quote = at;
            }
            else if (at is '|' or '>' or '<' or ';' or '&' || (at == '#' && word is null))
            {
                break;
            }
            else if (at != ' ')
            {
                (word ??= new StringBuilder()).Append(at);
            }
            else if (word is not null)
            {
                words.Add(word.ToString());
                word = null;
            }
        }

        if (word is not null)
        {
            words.Add(word.ToString());
        }

        return words;
    }

    /// <summary>What a link names a heading by.</summary>
    private static string Anchor(string heading) =>
        string.Concat(heading.Trim().ToLowerInvariant().Where(at => char.IsLetterOrDigit(at) || at is ' ' or '-' or '_')).Replace(' ', '-');

    [GeneratedRegex(@"^(?<fence>`{3,})(?<language>\w*)\n(?<text>.*?)\n?^\k<fence>$", RegexOptions.Singleline | RegexOptions.Multiline)]
    private static partial Regex Fence();

    [GeneratedRegex("""^(?:\$ )?(?:\w+=(?:'[^']*'|"[^"]*"|\S*) )*(?:\./)?virtigo(?: |$)""")]
    private static partial Regex CommandStart();

    [GeneratedRegex(@"`virtigo (?<line>[^`]+)`")]
    private static partial Regex CommandSpan();

    [GeneratedRegex(@"\bN\b")]
    private static partial Regex Placeholder();

    // A sentence may name a verb without what it works on.
    [GeneratedRegex("^Required (?:argument|command|option)|^Option '.*' is required")]
    private static partial Regex Missing();

    [GeneratedRegex(@"\A# (\S+\.ya?ml)(?:\s|$)")]
    private static partial Regex FirstLineName();

    [GeneratedRegex(@"^machines:", RegexOptions.Multiline)]
    private static partial Regex Machines();

    [GeneratedRegex(@"^tests:", RegexOptions.Multiline)]
    private static partial Regex Tests();

    [GeneratedRegex(@"\bfile:(?<file>[^\s,\]}""]+)|\bkey: (?<key>[\w./-]+)|(?:\binclude: \[|\G, |\bfrom: )(?<part>[\w-]+\.yml)|\bfrom: (?<from>[\w./-]+)")]
    private static partial Regex NamedFile();

    [GeneratedRegex(@"`[^`\n]*`")]
    private static partial Regex CodeSpan();

    [GeneratedRegex(@"\]\((?!\w+:)(?<file>[^)#\s]*)(?:#(?<heading>[^)\s]+))?\)")]
    private static partial Regex Link();

    [GeneratedRegex(@"^#{1,6} (.+)$", RegexOptions.Multiline)]
    private static partial Regex Heading();
}
