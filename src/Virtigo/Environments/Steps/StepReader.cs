using Virtigo.Appliances;

namespace Virtigo.Environments.Steps;

/// <summary>Reads lists of steps against the table of verbs. What is wrong is added to the problems, each with its place.</summary>
internal sealed class StepReader
{
    private const int MaxSteps = 1000;
    private const string Hint = "A step is one word for the shell, in quotes: virtigo step 'power cut: server'. Every step: docs/tests.md";
    private readonly IReadOnlyList<string> _machines;
    private readonly SpecProblems _problems;

    private StepReader(IReadOnlyList<string> machines, SpecProblems problems) => (_machines, _problems) = (machines, problems);

    /// <summary>Reads a list of steps.</summary>
    /// <param name="list">The list.</param>
    /// <param name="what">What it belongs to, for messages: <c>ready</c>, or a test's name.</param>
    /// <param name="machines">The names of the environment's machines, in order.</param>
    /// <param name="problems">Gets what is wrong.</param>
    /// <returns>The steps that are right.</returns>
    public static IReadOnlyList<Step> Read(YamlItem list, string what, IReadOnlyList<string> machines, SpecProblems problems)
    {
        if (list is not YamlList { Items.Count: > 0 } steps)
        {
            problems.Add(list, $"{SpecProblems.Quote(what)} has no steps; expected a list of them, as in: - {StepVerbs.Command.Example}");
            return [];
        }

        if (steps.Items.Count > MaxSteps)
        {
            problems.Add(list, FormattableString.Invariant($"{SpecProblems.Quote(what)} has {steps.Items.Count} steps; expected at most {MaxSteps}"));
            return [];
        }

        var reader = new StepReader(machines, problems);
        return [.. steps.Items.Select(reader.ReadStep).OfType<Step>()];
    }

    /// <summary>Reads texts of which each is one step or a list of them.</summary>
    /// <param name="texts">The texts.</param>
    /// <param name="machines">The names of the environment's machines, in order.</param>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Usage"/>: what is wrong in the first text that is not right, each with its place.</exception>
    public static IReadOnlyList<Step> ReadTexts(IReadOnlyList<StepText> texts, IReadOnlyList<string> machines)
    {
        var steps = new List<Step>();
        foreach (StepText text in texts)
        {
            var problems = new SpecProblems(text.Source);
            switch (YamlTree.Read(text.Yaml, problems))
            {
                case YamlList list:
                    steps.AddRange(Read(list, text.Source, machines, problems));
                    break;
                case { } one:
                    steps.AddRange(Read(new YamlList([one], one.Line, one.Column), text.Source, machines, problems));
                    break;
                case null when !problems.Any:
                    problems.Add(1, 1, $"there is no step; expected one, as in: {StepVerbs.Command.Example}");
                    break;
            }

            problems.ThrowIfAny(Hint);
        }

        return steps.Count <= MaxSteps ? steps
            : throw new VirtigoException(FailureKind.Usage, FormattableString.Invariant($"There are {steps.Count} steps; expected at most {MaxSteps}."));
    }

    private Step? ReadStep(YamlItem item)
    {
        switch (item)
        {
            case YamlText word when StepVerbs.All.FirstOrDefault(verb => verb.Bare && verb.Is(word.Value)) is { } bare:
                return Bind(bare, word, new YamlMap([], word.Line, word.Column), word.Value);
            case YamlText word:
                _problems.Add(word, $"{SpecProblems.Quote(word.Value)} is no step; expected a machine or a verb and what it does, as in: {StepVerbs.Command.Example}");
                return null;
            case YamlMap { Entries: [var (word, value)] }:
                return Verb(word) is { } found ? ReadStep(found, word, value) : null;
            case YamlMap { Entries: [var first, var second, ..] }:
                _problems.Add(second.Key, Verb(first.Key) is null ? "expected one key in a step"
                    : $"a step has one key; begin a new step, or write {SpecProblems.Quote(second.Key.Value)} inside: "
                        + $"{first.Key.Value}: {{…, {second.Key.Value}: …}}");
                return null;
            default:
                _problems.Add(item, $"expected a step, as in: {StepVerbs.Command.Example}");
                return null;
        }
    }

    /// <summary>The kind of step that a word begins; null: a problem was added.</summary>
    private StepVerb? Verb(YamlText word)
    {
        if (_machines.Contains(word.Value))
        {
            return StepVerbs.Command;
        }

        if (StepVerbs.All.FirstOrDefault(verb => verb.Is(word.Value)) is { } verb)
        {
            return verb;
        }

        string near = SpecProblems.Suggest(word.Value, _machines.Concat(StepVerbs.All.Select(known => known.Name)));
        _problems.Add(word, $"{SpecProblems.Quote(word.Value)} is neither a machine nor a verb"
            + (near.Length > 0 ? near : $"; machines: {string.Join(", ", _machines.Take(20))}; verbs: {string.Join(", ", StepVerbs.All.Select(known => known.Name))}"));
        return null;
    }

    private Step? ReadStep(StepVerb verb, YamlText word, YamlItem value)
    {
        switch (value)
        {
            case YamlMap map:
                return Bind(verb, word, map, $"{word.Value}: {Title(verb, map)}");
            case YamlText { IsNull: true } when verb.Bare:
                return Bind(verb, word, new YamlMap([], value.Line, value.Column), word.Value);
            case YamlText or YamlList when verb.Shorthand is { } key:
                YamlMap expanded = new([(new YamlText(key, true, value.Line, value.Column), value)], value.Line, value.Column);
                return Bind(verb, word, expanded, $"{word.Value}: {Shown(value)}");
            default:
                _problems.Add(value, $"{word.Value}: expected a mapping of {string.Join(", ", verb.Keys.Select(known => known.Key))}, as in: {verb.Example}");
                return null;
        }
    }

    private Step? Bind(StepVerb verb, YamlText word, YamlMap map, string title)
    {
        string file = _problems.File;
        var read = new SettingValues(file, OriginKind.Spec);
        var named = new List<string>();
        bool right = true;
        foreach ((YamlText name, YamlItem value) in map.Entries)
        {
            if (verb.Keys.FirstOrDefault(known => known.Key == name.Value) is not { } key)
            {
                IEnumerable<string> names = verb.Keys.Select(known => known.Key);
                string near = SpecProblems.Suggest(name.Value, names);
                _problems.Add(name, $"{SpecProblems.Quote(name.Value)} is no key of {word.Value}" + (near.Length > 0 ? near : $"; expected one of {string.Join(", ", names)}"));
                right = false;
                continue;
            }

            object? bound = value is YamlText { IsNull: true } ? Missing(key, value) : key.Type.Read(value, key, _problems);
            if (bound is IReadOnlyList<YamlText> machines)
            {
                bound = Names(machines, key);
                named.AddRange(bound as IReadOnlyList<string> ?? []);
            }

            if (bound is null)
            {
                right = false;
            }
            else
            {
                read.Set(key.Key, bound, value);
            }
        }

        if (!right)
        {
            return null;
        }

        var values = new StepValues(read, new StepPlace(file, word.Line, word.Column), Step.Short(title), _problems);
        named.ForEach(values.Name);
        return verb == StepVerbs.Command ? CommandStep.From(values, word.Value) : verb.Make(values, _machines);
    }

    private object? Missing(SpecKey key, YamlItem value)
    {
        _problems.Add(value, $"{key.Path}: the value is missing, as in: {key.Example}");
        return null;
    }

    /// <summary>The names of machines that exist; null: one does not, and a problem was added.</summary>
    private IReadOnlyList<string>? Names(IReadOnlyList<YamlText> written, SpecKey key)
    {
        if (key.Type == StepTypes.Machines && written is [{ Value: MachineType.All }])
        {
            return _machines;
        }

        YamlText[] unknown = [.. written.Where(name => !_machines.Contains(name.Value))];
        foreach (YamlText name in unknown)
        {
            string near = SpecProblems.Suggest(name.Value, _machines);
            _problems.Add(name, $"{key.Path}: {SpecProblems.Quote(name.Value)} is no machine of this environment"
                + (near.Length > 0 ? near : $"; expected one of {string.Join(", ", _machines.Take(20))}"));
        }

        return unknown.Length > 0 ? null : [.. written.Select(name => name.Value).Distinct()];
    }

    /// <summary>A mapping on one line: what its shorthand would be, then the rest.</summary>
    private static string Title(StepVerb verb, YamlMap map)
    {
        string first = map.Entries.Where(entry => entry.Key.Value == verb.Shorthand).Select(entry => Shown(entry.Value)).FirstOrDefault("");
        string rest = string.Join(", ", map.Entries.Where(entry => entry.Key.Value != verb.Shorthand && entry.Key.Value is not ("input" or "env" or "name"))
            .Select(entry => $"{entry.Key.Value} {Shown(entry.Value)}"));
        return first.Length > 0 && rest.Length > 0 ? $"{first} ({rest})" : first + rest;
    }

    private static string Shown(YamlItem value) => value switch
    {
        YamlText text => Step.Short(text.Value),
        YamlList list => string.Join(", ", list.Items.OfType<YamlText>().Select(one => one.Value).Take(10)),
        _ => "…",
    };
}
