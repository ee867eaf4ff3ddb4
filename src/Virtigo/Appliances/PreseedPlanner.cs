using System.Globalization;
using System.Text;
using Virtigo.Installers.Debian;

namespace Virtigo.Appliances;

/// <summary>The answers that a spec gives in the installer's own words.</summary>
internal sealed record PreseedPlan
{
    /// <summary>None.</summary>
    public static PreseedPlan None { get; } = new();

    /// <summary>The answers to the installer, in the order of the text.</summary>
    public IReadOnlyList<FragmentAnswer> Answers { get; init; } = [];

    /// <summary>The answers to questions of packages.</summary>
    public IReadOnlyList<DebconfSelection> Debconf { get; init; } = [];

    /// <summary>All of it for people; no secret is shown.</summary>
    public IReadOnlyList<ExplainedSetting> Explained { get; init; } = [];

    /// <summary>The text that was written.</summary>
    public string Text { get; init; } = "";

    /// <summary>Where a line and column of the text are.</summary>
    public Func<int, int, string> Place { get; init; } = (_, _) => "";

    /// <summary>Everything that can show in the image: equal answers give equal lists.</summary>
    public IReadOnlyList<string> Canonical() => 
    [
        .. Answers.SelectMany(answer => (string[])[answer.Owner, answer.Question, answer.Type, answer.Digest]),
        .. Debconf.SelectMany(answer => (string[])[answer.Package, answer.Question, answer.Type, answer.Digest]),
    ];

    /// <summary>Checks the answers against the questions of the installer that will read them.</summary>
    /// <returns>What is no error, but worth knowing, each with its place.</returns>
    /// <exception cref="VirtigoException">The installer does not take one of them (<see cref="FailureKind.Usage"/>).</exception>
    public IReadOnlyList<string> Check(TemplateCatalog templates) =>
        Text.Length == 0 ? [] : [.. PreseedPlanner.Lint(Text, templates, Place).Except(PreseedPlanner.Lint(Text, null, Place))];
}

/// <summary>Reads answers in the installer's own words, and sees to it that they contradict nothing else.</summary>
/// <param name="spec">What was written.</param>
/// <param name="folder">The spec's folder.</param>
/// <param name="secrets">Where secrets come from.</param>
/// <param name="openHasher">Opens the hasher with the user's secret.</param>
internal sealed class PreseedPlanner(SettingValues spec, SpecFolder folder, SecretSource secrets, Func<Task<PasswordHasher>> openHasher)
{
    private const int MaxShownErrors = 20;

    /// <summary>Makes the plan.</summary>
    /// <param name="plan">Everything else.</param>
    /// <param name="cancellationToken">Ends the planning.</param>
    /// <exception cref="VirtigoException">An answer is malformed, unsafe, or decided elsewhere (<see cref="FailureKind.Usage"/>).</exception>
    public async Task<PreseedPlan> PlanAsync(AppliancePlan plan, CancellationToken cancellationToken)
    {
        if (spec.Text("preseed") is not { } written)
        {
            return PreseedPlan.None;
        }

        (string text, Func<int, int, string> place) = Read(written);
        var explained = new List<ExplainedSetting>();
        explained.AddRange(Lint(text, null, place).Select(warning => new ExplainedSetting("preseed", "warning: " + Printable(warning), spec.OriginOf("preseed")!)));
        Dictionary<string, Answer> generated = Generated(plan);
        var answers = new List<FragmentAnswer>();
        var debconf = new List<DebconfSelection>();
        foreach (PreseedLine line in PreseedReader.Read(text))
        {
            FragmentAnswer answer = await AnswerAsync(plan, line, place, cancellationToken);
            Answer? other = line.Type == "seen" ? null : generated.GetValueOrDefault(line.Question);
            if (other is not null && other.Value == answer.Value)
            {
                explained.Add(Line(answer, "the same as otherwise"));
                continue;
            }

            Refuse(plan, line, answer, other);
            explained.Add(Line(answer, other is null ? "" : $"instead of {(other.Secret ? "***" : other.Value)}"));
            if (answer.Owner == "d-i" || other is not null)
            {
                answers.Add(answer);
            }
            else if (!Twice(plan, answer))
            {
                debconf.Add(new DebconfSelection(answer.Owner, answer.Question, answer.Type, answer.Value, answer.Digest));
            }
        }

        return new PreseedPlan { Answers = answers, Debconf = debconf, Explained = explained, Text = text, Place = place };
    }

    /// <summary>What is worth knowing about a text of answers, each with its place.</summary>
    /// <exception cref="VirtigoException">An answer would be ignored or refused, or makes the result unsafe (<see cref="FailureKind.Usage"/>).</exception>
    public static IReadOnlyList<string> Lint(string text, TemplateCatalog? templates, Func<int, int, string> place)
    {
        IReadOnlyList<PreseedFinding> findings = PreseedLinter.Lint(text, templates);
        PreseedFinding[] errors = [.. findings.Where(finding => finding.Severity == PreseedSeverity.Error)];
        if (errors.Length > 0)
        {
            throw new VirtigoException(FailureKind.Usage,
                string.Join('\n', errors.Take(MaxShownErrors).Select(error => $"{place(error.Line, error.Column)}: preseed: {error.Message}")),
                errors[0].Hint ?? "Check the whole text: virtigo lint-preseed FILE");
        }

        return [.. findings.Where(finding => finding.Severity == PreseedSeverity.Warning)
            .Select(finding => $"{place(finding.Line, finding.Column)}: {finding.Message}{(finding.Hint is { } hint ? " " + hint : "")}")];
    }

    private static string Printable(string text) => new([.. text.Take(300).Select(character => char.IsControl(character) || char.IsSurrogate(character) ? '?' : character)]);

    private static ExplainedSetting Line(FragmentAnswer answer, string note) =>
        new("preseed", Printable(answer.ToString()) + (note.Length > 0 ? $" ({note})" : ""), new Origin(OriginKind.Spec, answer.Place));

    /// <summary>What the installer is told without the spec's own words, by question.</summary>
    private static Dictionary<string, Answer> Generated(AppliancePlan plan)
    {
        DebianChoices choices = plan.ToDebianChoices();
        var all = new Dictionary<string, Answer>(StringComparer.Ordinal);
        foreach (Answer answer in (IEnumerable<Answer>)[.. DebianAnswers.Shared(choices), .. DebianAnswers.Own(choices)])
        {
            // The appliance's own come last, and count.
            all[answer.Question] = answer;
        }

        return all;
    }

    private static void Refuse(AppliancePlan plan, PreseedLine line, FragmentAnswer answer, Answer? other)
    {
        if (FragmentRules.KeyOf(line.Question) is { } key)
        {
            IReadOnlyList<ExplainedSetting> values = plan.Explain();
            ExplainedSetting? decided = values.FirstOrDefault(one => one.Key == key) ?? values.FirstOrDefault(one => one.Key == key.Split('.')[^1]);
            throw new VirtigoException(FailureKind.Usage,
                $"{answer.Place}: preseed: {line.Question} is what the spec's {key} decides"
                + (decided is null ? ", which says nothing of it." : $": {decided.Shown} ({decided.Origin})."),
                $"Say it with {key}, and take the line out of the preseed.");
        }

        if (FragmentRules.ReliedFor(line.Question) is { } reason)
        {
            throw new VirtigoException(FailureKind.Usage,
                $"{answer.Place}: preseed: {line.Question} cannot be answered here{(other is null ? "" : $" (it is {(other.Secret ? "***" : other.Value)})")}: a build relies on it that {reason}.",
                "Take the line out.");
        }
    }

    /// <summary>Whether the spec's debconf gives the same answer.</summary>
    private static bool Twice(AppliancePlan plan, FragmentAnswer answer)
    {
        if (plan.Target.Choices.Debconf.FirstOrDefault(one => one.Question == answer.Question) is not { } other)
        {
            return false;
        }

        return other.Digest == answer.Digest || other.Value == answer.Value ? true
            : throw new VirtigoException(FailureKind.Usage,
                $"{answer.Place}: preseed: {answer.Question} is answered by the spec's debconf too, otherwise: {other} "
                + $"({plan.Target.Explained.First(line => line.Key == "debconf" && line.Shown.Contains(other.Question, StringComparison.Ordinal)).Origin}).",
                "Keep one of the two.");
    }

    private (string Text, Func<int, int, string> Place) Read(string written)
    {
        string at = spec.At("preseed");
        if (PreseedType.IsText(written))
        {
            return (written, (line, _) => string.Create(CultureInfo.InvariantCulture, $"{at} (line {line} of the text)"));
        }

        string text = Encoding.UTF8.GetString(folder.ReadFile(written, at, PreseedType.MaxBytes, secret: true));
        if (!PreseedType.HoldsSecret(text))
        {
            // Once more, as a file that goes where the spec goes.
            text = Encoding.UTF8.GetString(folder.ReadFile(written, at, PreseedType.MaxBytes));
        }

        string path = Path.Combine(Path.GetDirectoryName(spec.File) ?? "", written);
        return (text, (line, column) => string.Create(CultureInfo.InvariantCulture, $"{path}:{line}:{column}"));
    }

    private async Task<FragmentAnswer> AnswerAsync(AppliancePlan plan, PreseedLine line, Func<int, int, string> place, CancellationToken cancellationToken)
    {
        string at = place(line.Line, line.Column(1)), value = line.Value.Trim();
        if (value.Any(char.IsControl) || ValueChecks.Content(value) is not null)
        {
            throw new VirtigoException(FailureKind.Usage, $"{at}: preseed: the answer to {SpecProblems.Quote(line.Question)} has a control character in it.",
                "Write the value on one line, without tabs.");
        }

        string digest = value;
        if (FragmentAnswer.IsSecret(line.Question, line.Type))
        {
            if (value.StartsWith("env:", StringComparison.Ordinal))
            {
                throw new VirtigoException(FailureKind.Usage, $"{at}: preseed: only file: and prompt: may give a secret that stands in the image as it is.",
                    "Put the secret into a file below the spec's folder: file:PATH");
            }

            var secret = await secrets.ResolveAsync(new SecretText(value), at, $"Answer to {line.Question}", cancellationToken);
            digest = (await openHasher()).Digest(secret, $"{plan.Name.Value}\0preseed\0{line.Question}");
            value = secret.Reveal();
        }

        return new FragmentAnswer(line.Owner, line.Question, line.Type, value, digest, at);
    }
}
