using System.Text;
using CsCheck;
using Virtigo.Appliances;
using Virtigo.Host;
using Xunit;

namespace Virtigo.Tests.Appliances;

public sealed class SpecFuzzTests : IDisposable
{
    private static readonly string[] s_pieces =
    [
        ": ", "\n", "\n  ", "- ", "[", "]", "{", "}", "'", "\"", "../", "/", "~", "{{", "}}", "env:", "file:", "prompt:", "ppa:", "task:", "-", "=", "\u0000", "\u001b[2J",
        "\ud800", "true", "null", "999999999999", "from", "content", "agent", "-----BEGIN PGP PUBLIC KEY BLOCK-----", "password ", "include", "variables", "matrix", "{{var.size}}", "base.yml", "x.yml", "&a ", "*a", "|\n",
    ];

    private readonly string _home = Directory.CreateTempSubdirectory("virtigo-fuzz-").FullName;

    public void Dispose() => Directory.Delete(_home, recursive: true);

    private const string Composed = """
        include: [part.yml, "{{var.file}}"]
        from: base.yml
        variables: {file: part.yml, size: 9GiB, word: "x"}
        matrix: {release: [bookworm, trixie], var.size: [8GiB, 9GiB]}
        disk: "{{var.size}}"
        packages: [nginx]
        run: "echo {{var.word}} {{ var.word }}"
        units: nginx

        """;

    /// <summary>A valid spec with some cuts, insertions, swaps and repetitions.</summary>
    private static Gen<string> Mutated => Changed(TargetPlannerTests.Whole);

    private static Gen<string> Changed(string whole) => Gen.Select(Gen.Int[0, 3], Gen.Int[0, 100_000], Gen.Int[0, 60], Gen.Int[0, s_pieces.Length - 1])
        .Array[1, 6].Select(changes => changes.Aggregate(whole, (text, change) =>
        {
            (int kind, int where, int length, int piece) = change;
            int at = text.Length == 0 ? 0 : where % text.Length;
            int end = Math.Min(text.Length, at + length);
            return kind switch
            {
                0 => text[..at] + text[end..],
                1 => text[..at] + s_pieces[piece] + text[at..],
                2 => text[..at] + s_pieces[piece] + text[end..],
                _ => text[..end] + text[at..end] + text[end..],
            };
        }));

    [Fact]
    public void A_mutated_spec_is_a_spec_or_a_told_mistake() => Mutated.Sample(
        yaml =>
        {
            try
            {
                ApplianceSpec spec = ApplianceSpec.Parse(yaml, "web.yml");
                return spec.RedactedText.Length > 0 || yaml.Length == 0;
            }
            catch (VirtigoException told)
            {
                return told.Kind == FailureKind.Usage && told.Message.StartsWith("web.yml:", StringComparison.Ordinal) && !told.Message.Contains('\u001b');
            }
        },
        iter: 3000);

    [Fact]
    public void Mutated_files_make_specs_or_told_mistakes_and_end()
    {
        string folder = Directory.CreateDirectory(Path.Combine(_home, "composed")).FullName;
        File.WriteAllText(Path.Combine(_home, "outside"), "hunter2: hunter2");
        File.CreateSymbolicLink(Path.Combine(folder, "x.yml"), "../outside");
        Gen.Select(Changed(Composed), Changed(Composed), Changed("variables: {word: y}\nusers: [bob]\nunits: {enable: [a, b]}\n")).Sample(
            (main, below, part) =>
            {
                File.WriteAllBytes(Path.Combine(folder, "base.yml"), Encoding.UTF8.GetBytes(below));
                File.WriteAllBytes(Path.Combine(folder, "part.yml"), Encoding.UTF8.GetBytes(part));
                try
                {
                    IReadOnlyList<ApplianceSpec> specs = SpecReader.Parse(main, Path.Combine(folder, "web.yml"), new SpecOptions());
                    return specs.Count is > 0 and <= 100;
                }
                catch (VirtigoException told)
                {
                    return told.Kind == FailureKind.Usage && !told.Message.Contains("hunter2", StringComparison.Ordinal) && !told.Message.Contains('\u001b');
                }
            },
            iter: 1000, threads: 1);
    }

    [Fact]
    public async Task A_mutated_spec_is_planned_or_refused_and_reads_nothing_outside_its_folder()
    {
        string folder = Directory.CreateDirectory(Path.Combine(_home, "spec")).FullName;
        File.WriteAllText(Path.Combine(_home, "outside"), "hunter2");
        File.CreateSymbolicLink(Path.Combine(folder, "site"), "../outside");
        File.WriteAllText(Path.Combine(folder, "app.conf"), "{{name}}");
        File.WriteAllText(Path.Combine(folder, "vendor.asc"), "-----BEGIN PGP PUBLIC KEY BLOCK-----\n");
        var planner = new AppliancePlanner(new PlannerEnvironment
        {
            Paths = HostPaths.FromEnvironment(name => name == "VIRTIGO_HOME" ? _home : null),
            ResolveRelease = (_, suite, _) => Task.FromResult(new ResolvedRelease("trixie", "13.1", suite)),
            FindHostMirror = () => new HostMirror(new Uri("http://host.example/debian"), "/etc/apt/sources.list:1"),
            ZoneInfoDirectory = "/nonexistent",
            Variable = _ => "hidden",
            Ask = (_, _) => Task.FromResult<string?>(null),
            AgentKeys = _ => Task.FromResult<IReadOnlyList<string>>([]),
        });
        await Mutated.SampleAsync(
            async yaml =>
            {
                try
                {
                    AppliancePlan plan = await planner.PlanAsync(ApplianceSpec.Parse(yaml, Path.Combine(folder, "web.yml")), CancellationToken.None);
                    Assert.DoesNotContain(plan.Target.Choices.Files, file => file.Content.Span.IndexOf("hunter2"u8) >= 0);
                    Assert.DoesNotContain(plan.Explain(), line => line.Shown.Any(char.IsControl));
                }
                catch (VirtigoException told)
                {
                    Assert.True(told.Kind == FailureKind.Usage, told.ToString());
                    Assert.DoesNotContain("hunter2", told.Message);
                }
            },
            iter: 500);
    }
}
