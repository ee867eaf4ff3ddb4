using System.Globalization;

namespace Virtigo.Hypervisors;

/// <summary>What is to be run, as far as it decides which hypervisor can.</summary>
/// <param name="What">It, to begin a sentence: <c>The build of web</c>.</param>
/// <param name="Features">What it cannot do without: names of <see cref="HypervisorFeature"/>.</param>
public sealed record HypervisorNeeds(string What, IReadOnlyList<string> Features)
{
    /// <summary>What <c>auto</c> asks for beside that. A hypervisor that was named needs none of it.</summary>
    public IReadOnlyList<string> Wished { get; init; } = [];

    /// <summary>Whether what runs may do what its user may: if not, <c>auto</c> takes no hypervisor without isolation.</summary>
    public bool Trusted { get; init; }

    /// <summary>Finds a kernel to measure those by that boot any; null, or null of it, where none is at hand. Asked only when there is more than one to choose from.</summary>
    public Func<CancellationToken, Task<string?>>? Kernel { get; init; }
}

/// <summary>Which hypervisor runs something.</summary>
/// <param name="Hypervisor">It.</param>
/// <param name="Reason">Why this one, in one clause that follows its name.</param>
public sealed record HypervisorChoice(IHypervisor Hypervisor, string Reason)
{
    /// <summary>Whether there was more than one that could, and their speed decided.</summary>
    public bool Compared { get; init; }

    /// <summary>The wish for the fastest one that can.</summary>
    public const string Auto = "auto";

    /// <summary>Chooses.</summary>
    /// <param name="all">Those there are, the one that can do most first.</param>
    /// <param name="wish">A hypervisor's name, or <see cref="Auto"/>.</param>
    /// <param name="needs">What it is for.</param>
    /// <param name="cancellationToken">Ends the choice and its probes.</param>
    /// <exception cref="VirtigoException">
    /// There is no such hypervisor or it cannot do what is asked (<see cref="FailureKind.Usage"/>); it, or every one that could, cannot be used on
    /// this host (<see cref="FailureKind.Host"/>).
    /// </exception>
    public static async Task<HypervisorChoice> MakeAsync(
        IReadOnlyList<IHypervisor> all, string wish, HypervisorNeeds needs, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(all);
        ArgumentNullException.ThrowIfNull(needs);
        if (wish != Auto)
        {
            return await NamedAsync(Named(all, wish), needs, cancellationToken);
        }

        var able = new List<IHypervisor>();
        var others = new List<string>();
        foreach (IHypervisor hypervisor in all)
        {
            if (able.Exists(taken => taken.Name == hypervisor.Engine))
            {
                others.Add($"{hypervisor.Name} is a way to {hypervisor.Engine}");
            }
            else if (await ObstacleAsync(hypervisor, needs, cancellationToken) is { } obstacle)
            {
                others.Add($"{hypervisor.Name} {obstacle}");
            }
            else
            {
                able.Add(hypervisor);
            }
        }

        return able switch
        {
            [] => throw new VirtigoException(FailureKind.Host, $"{needs.What} can be run by no hypervisor here: {string.Join("; ", others)}.",
                "See what each lacks: virtigo doctor"),
            [var only] => new HypervisorChoice(only, others.Count == 0 ? "the only one that there is" : $"the only one that can: {string.Join("; ", others)}"),
            _ => await FastestAsync(able, needs, cancellationToken),
        };
    }

    /// <summary>The hypervisor of a name.</summary>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Usage"/> when there is none, with those there are.</exception>
    public static IHypervisor Named(IReadOnlyList<IHypervisor> all, string name)
    {
        ArgumentNullException.ThrowIfNull(all);
        return all.FirstOrDefault(hypervisor => hypervisor.Name == name) ?? throw new VirtigoException(FailureKind.Usage,
            $"There is no hypervisor '{name}'.", $"Expected {Auto}, {string.Join(", ", all.Select(hypervisor => hypervisor.Name))}.");
    }

    private static async Task<HypervisorChoice> NamedAsync(IHypervisor hypervisor, HypervisorNeeds needs, CancellationToken cancellationToken)
    {
        if (Missing(hypervisor, needs.Features) is { } missing)
        {
            throw new VirtigoException(FailureKind.Usage, $"{needs.What} cannot be run by {hypervisor.Name}: {missing.LackIn(hypervisor.Capabilities)}.",
                $"Take another: 'virtigo doctor' shows what each can do, and '{Auto}' takes the fastest that can.");
        }

        HypervisorPresence presence = await hypervisor.LookAsync(cancellationToken);
        return presence.IsUsable ? new HypervisorChoice(hypervisor, "it was asked for")
            : throw new VirtigoException(FailureKind.Host, $"{needs.What} cannot be run by {hypervisor.Name} here: {presence.Reason}.", presence.Mend);
    }

    /// <summary>Why a hypervisor cannot be taken, to follow its name; null when it can.</summary>
    private static async Task<string?> ObstacleAsync(IHypervisor hypervisor, HypervisorNeeds needs, CancellationToken cancellationToken)
    {
        IEnumerable<string> asked = [.. needs.Features, .. needs.Wished, .. needs.Trusted ? [] : new[] { "isolation" }];
        if (Missing(hypervisor, asked) is { } missing)
        {
            return "cannot: " + missing.LackIn(hypervisor.Capabilities);
        }

        HypervisorPresence presence = await hypervisor.LookAsync(cancellationToken);
        return presence.IsUsable ? null : "is not usable here: " + presence.Reason;
    }

    private static HypervisorFeature? Missing(IHypervisor hypervisor, IEnumerable<string> features) =>
        features.Select(HypervisorFeature.Of).FirstOrDefault(feature => !feature.IsIn(hypervisor.Capabilities));

    /// <summary>The one whose probe was the fastest. Of two that are as fast, or where not all can be measured, the one that can do more.</summary>
    private static async Task<HypervisorChoice> FastestAsync(List<IHypervisor> able, HypervisorNeeds needs, CancellationToken cancellationToken)
    {
        string? kernel = null;
        var measured = new List<(IHypervisor Hypervisor, TimeSpan Time)>();
        foreach (IHypervisor hypervisor in able)
        {
            AcceleratorReport? report = hypervisor.Remembered();
            if (report is null && (hypervisor.OwnKernel ?? (kernel ??= needs.Kernel is null ? null : await needs.Kernel(cancellationToken))) is { } path)
            {
                report = await hypervisor.ProbeAsync(path, cancellationToken);
            }

            if (report is null)
            {
                return new HypervisorChoice(able[0], $"the first that can, since no kernel is at hand to measure {hypervisor.Name} by");
            }

            measured.Add((hypervisor, report.Speed.ProbeTime));
        }

        return new HypervisorChoice(measured.MinBy(one => one.Time).Hypervisor,
            $"the fastest that can: a kernel boots in {string.Join(", ", measured.Select(one => $"{Seconds(one.Time)} under {one.Hypervisor.Name}"))}") { Compared = true };
    }

    private static string Seconds(TimeSpan time) => string.Create(CultureInfo.InvariantCulture, $"{time.TotalSeconds:0.0} s");
}
