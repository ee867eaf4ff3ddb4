using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Virtigo.Appliances;
using Virtigo.Cli.Output;
using Virtigo.Installers.Debian;

namespace Virtigo.Cli.Verbs;

/// <summary><c>virtigo lint-preseed</c>: what is wrong in a preseed file.</summary>
internal static class LintPreseedVerb
{
    private const int MaxBytes = 4 << 20;

    public static Verb Make(GlobalOptions options, CliHost host)
    {
        Argument<string> file = new("file") { Description = "A preseed file for debian-installer; - for standard input" };
        var verb = new Verb("lint-preseed", "Find what is ignored, misspelt or unsafe in a preseed file; exit code 2 when there is an error",
            "virtigo lint-preseed preseed.cfg",
            "virtigo lint-preseed preseed.cfg --json | jq '.findings[]'")
        {
            file,
        };
        verb.Does(options, host, async (run, cancellationToken) =>
        {
            string name = run.Value(file)!;
            string text = await ReadAsync(name, cancellationToken);
            IReadOnlyList<PreseedFinding> findings = PreseedLinter.Lint(text, await QuestionsAsync(run, cancellationToken));
            Write(run, name == "-" ? "standard input" : name, findings);
            return findings.Any(finding => finding.Severity == PreseedSeverity.Error) ? (int)FailureKind.Usage : 0;
        });
        return verb;
    }

    /// <summary>The installer's questions, or null with the reason told: what else is wrong is found without them.</summary>
    private static async Task<TemplateCatalog?> QuestionsAsync(Invocation run, CancellationToken cancellationToken)
    {
        try
        {
            return await DebianQuestions.LoadAsync(run.Host.Paths, run.Options.Archives(run),
                () => run.People("Fetching the installer's questions (once, about 160 MB) ..."), cancellationToken);
        }
        catch (VirtigoException absent)
        {
            run.People($"Whether the installer knows these questions was not checked: {absent.Message} {absent.Hint}");
            return null;
        }
    }

    private static void Write(Invocation run, string name, IReadOnlyList<PreseedFinding> findings)
    {
        if (run.Mode.Json)
        {
            var report = new LintReport(name,
                [.. findings.Select(found => new LintLine(found.Line, found.Column, Word(found.Severity), found.Message, found.Hint))]);
            run.Data(JsonSerializer.Serialize(report, CliJson.Indented.LintReport));
            return;
        }

        foreach (PreseedFinding found in findings)
        {
            run.Data(string.Create(CultureInfo.InvariantCulture, $"{name}:{found.Line}:{found.Column}: {Word(found.Severity)}: {found.Message}"));
            if (found.Hint is { } hint)
            {
                run.Data("  " + hint);
            }
        }

        run.People(findings.Count == 0 ? $"{name}: nothing to complain about"
            : string.Create(CultureInfo.InvariantCulture, $"{name}: {findings.Count} finding{(findings.Count == 1 ? "" : "s")}"));
    }

    private static string Word(PreseedSeverity severity) => severity.ToString().ToLowerInvariant();

    private static async Task<string> ReadAsync(string name, CancellationToken cancellationToken)
    {
        try
        {
            await using Stream input = name == "-" ? Console.OpenStandardInput() : File.OpenRead(name);
            using var reader = new StreamReader(input);
            char[] text = new char[MaxBytes + 1];
            int length = await reader.ReadBlockAsync(text, cancellationToken);
            return length <= MaxBytes
                ? new string(text, 0, length)
                : throw new VirtigoException(FailureKind.Usage, $"{name} is larger than {Words.Size(MaxBytes)}, so it is no preseed file.");
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException)
        {
            throw new VirtigoException(FailureKind.Usage, $"{name} cannot be read: {unreadable.Message}", "Give the path of a readable file.", unreadable);
        }
    }
}
