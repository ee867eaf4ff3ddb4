namespace Virtigo.Archives;

/// <summary>One requirement of a relation field: any of its alternatives fulfils it.</summary>
/// <param name="Alternatives">The packages that fulfil it, in order of preference; at least one.</param>
internal sealed record Dependency(IReadOnlyList<DependencyAlternative> Alternatives)
{
    private const int MaxRelations = 10_000;

    /// <summary>Reads a relation field: <c>a (>= 1) | b, c:any [amd64]</c>.</summary>
    /// <param name="field">The field's value; null or empty for none.</param>
    /// <exception cref="VirtigoException">The text is no relation (<see cref="FailureKind.Archive"/>).</exception>
    public static IReadOnlyList<Dependency> Parse(string? field)
    {
        if (string.IsNullOrWhiteSpace(field))
        {
            return [];
        }

        string[] all = field.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        if (all.Length > MaxRelations)
        {
            throw new VirtigoException(FailureKind.Archive, $"A relation field has {all.Length} entries, at most {MaxRelations} are read.");
        }

        return [.. all.Select(one => new Dependency([.. one.Split('|', StringSplitOptions.TrimEntries).Select(DependencyAlternative.Parse)]))];
    }

    /// <inheritdoc/>
    public override string ToString() => string.Join(" | ", Alternatives);
}

/// <summary>A package, perhaps of certain versions.</summary>
/// <param name="Name">The package or virtual package.</param>
/// <param name="Operator">One of <c>&lt;&lt; &lt;= = &gt;= &gt;&gt;</c>, or null for any version.</param>
/// <param name="Version">The version compared with, or null.</param>
/// <param name="Architecture">The part after the colon, as <c>any</c>, or null.</param>
internal sealed record DependencyAlternative(string Name, string? Operator, DebianVersion? Version, string? Architecture)
{
    /// <summary>Whether this version of the package fulfils the relation.</summary>
    /// <param name="candidate">The version at hand; null for a virtual package without a version.</param>
    public bool Accepts(DebianVersion? candidate) => Operator is null || (candidate is not null && Operator switch
    {
        "<<" => candidate < Version!,
        "<=" => candidate <= Version!,
        "=" => candidate == Version!,
        ">=" => candidate >= Version!,
        _ => candidate > Version!,
    });

    /// <inheritdoc/>
    public override string ToString() =>
        $"{Name}{(Architecture is null ? "" : ":" + Architecture)}{(Operator is null ? "" : $" ({Operator} {Version})")}";

    internal static DependencyAlternative Parse(string text)
    {
        // Architecture and build-profile restrictions follow the version; binary packages carry them already applied.
        int afterVersion = text.IndexOf(')', StringComparison.Ordinal) + 1;
        int restriction = text.AsSpan(afterVersion).IndexOfAny('<', '[');
        string rest = restriction < 0 ? text : text[..(afterVersion + restriction)].TrimEnd();

        string name = rest;
        string? op = null;
        DebianVersion? version = null;
        int paren = rest.IndexOf('(', StringComparison.Ordinal);
        if (paren >= 0)
        {
            name = rest[..paren].TrimEnd();
            if (!rest.EndsWith(')'))
            {
                throw Bad(text);
            }

            string inside = rest[(paren + 1)..^1].Trim();
            op = inside.TakeWhile(c => c is '<' or '>' or '=').Count() switch
            {
                1 => inside[..1],
                2 => inside[..2],
                _ => throw Bad(text),
            };
            if (!DebianVersion.TryParse(inside[op.Length..], out version))
            {
                throw Bad(text);
            }

            op = op switch
            {
                "<" => "<=",
                ">" => ">=",
                "<<" or "<=" or "=" or ">=" or ">>" => op,
                _ => throw Bad(text),
            };
        }

        string[] parts = name.Split(':');
        if (parts.Length > 2 || parts[0].Length == 0 || !parts.All(IsName))
        {
            throw Bad(text);
        }

        return new DependencyAlternative(parts[0], op, version, parts.Length == 2 ? parts[1] : null);
    }

    private static bool IsName(string name) =>
        name.All(c => char.IsAsciiLetterOrDigit(c) || c is '+' or '-' or '.' or '_');

    private static VirtigoException Bad(string text) => new(FailureKind.Archive,
        $"\"{Text.Shorten(text)}\" is no package relation; expected \"name\" or \"name (>= version)\".");
}
