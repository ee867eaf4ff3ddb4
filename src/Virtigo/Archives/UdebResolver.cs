namespace Virtigo.Archives;

/// <summary>
/// Chooses installer components as debian-installer's anna does: what is wanted and all it depends on, by name or by what is provided,
/// of the running kernel's version, leaving out what the initrd holds. As in anna, versions of dependencies are not compared:
/// a suite's components are built to go together.
/// </summary>
internal static class UdebResolver
{
    /// <summary>The components to fetch, each after what it depends on.</summary>
    /// <param name="udebs">The installer's index.</param>
    /// <param name="wanted">Names of components or of what they provide.</param>
    /// <param name="alreadyInInitrd">Names, and names provided, of the components in the initrd.</param>
    /// <param name="kernelVersion">The initrd's kernel, as <c>6.12.48+deb13-amd64</c>.</param>
    /// <param name="subarchitecture">The machine's kind, for components made for some only; null for any.</param>
    /// <exception cref="VirtigoException">A component does not exist, or only for other kernels (<see cref="FailureKind.Archive"/>).</exception>
    public static IReadOnlyList<PackageEntry> Resolve(
        PackageIndex udebs,
        IEnumerable<string> wanted,
        IReadOnlySet<string> alreadyInInitrd,
        string kernelVersion,
        string? subarchitecture = null)
    {
        string[] roots = [.. wanted];
        var choice = new Choice(udebs, alreadyInInitrd, kernelVersion, subarchitecture, roots);
        foreach (string name in roots)
        {
            choice.Add(name);
        }

        return choice.Ordered;
    }

    /// <summary>The components anna installs without being asked: those of priority standard or higher that fit the kernel.</summary>
    public static IReadOnlyList<string> Standard(PackageIndex udebs, string kernelVersion, string? subarchitecture = null) =>
    [
        .. udebs.All
            .Where(udeb => udeb.Priority is "required" or "important" or "standard" && Fits(udeb, kernelVersion, subarchitecture))
            .Select(udeb => udeb.Name)
            .Distinct(StringComparer.Ordinal),
    ];

    /// <summary>The kernels the archive has modules for.</summary>
    public static IReadOnlyList<string> KernelVersions(PackageIndex udebs) =>
        [.. udebs.All.Select(udeb => udeb.KernelVersion).OfType<string>().Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)];

    private static bool Fits(PackageEntry udeb, string kernelVersion, string? subarchitecture) =>
        (udeb.KernelVersion is not { } kernel || kernel == kernelVersion)
        && (subarchitecture is null || udeb["Subarchitecture"] is not { } kinds
            || kinds.Split(' ', StringSplitOptions.RemoveEmptyEntries).Any(kind => FitsKind(kind, subarchitecture)));

    // "generic" fits "generic"; "armmp" fits "armmp/rpi".
    private static bool FitsKind(string kind, string subarchitecture) =>
        subarchitecture == kind || subarchitecture.StartsWith(kind + "/", StringComparison.Ordinal);

    private sealed class Choice(
        PackageIndex udebs, IReadOnlySet<string> present, string kernelVersion, string? subarchitecture, IReadOnlyCollection<string> roots)
    {
        private readonly HashSet<string> _wanted = [.. roots];
        private readonly HashSet<string> _chosen = new(StringComparer.Ordinal);
        private readonly HashSet<string> _provided = new(StringComparer.Ordinal);

        public List<PackageEntry> Ordered { get; } = [];

        public void Add(string name)
        {
            if (!IsFulfilled(name))
            {
                Add(Candidate(name) ?? throw Missing(name, neededBy: null));
            }
        }

        // An explicit stack: the depth of a hostile index's dependencies must not be the depth of ours.
        private void Add(PackageEntry root)
        {
            var stack = new Stack<(PackageEntry Package, Queue<Dependency> Open)>();
            Push(root);
            while (stack.TryPeek(out (PackageEntry Package, Queue<Dependency> Open) top))
            {
                if (top.Open.TryDequeue(out Dependency? dependency))
                {
                    if (!dependency.Alternatives.Any(alternative => IsFulfilled(alternative.Name)))
                    {
                        Push(Choose(dependency, top.Package));
                    }
                }
                else
                {
                    Ordered.Add(top.Package);
                    stack.Pop();
                }
            }

            void Push(PackageEntry package)
            {
                _chosen.Add(package.Name);
                _provided.UnionWith(package.Provides.SelectMany(one => one.Alternatives).Select(one => one.Name));
                stack.Push((package, new Queue<Dependency>(package.Depends)));
            }
        }

        private bool IsFulfilled(string name) => present.Contains(name) || _chosen.Contains(name) || _provided.Contains(name);

        private PackageEntry Choose(Dependency dependency, PackageEntry neededBy) => dependency.Alternatives
            .Select(alternative => Candidate(alternative.Name))
            .FirstOrDefault(candidate => candidate is not null) ?? throw Missing(dependency.ToString(), neededBy);

        private PackageEntry? Candidate(string name)
        {
            PackageEntry? real = udebs.Find(name) is { } newest && IsUsable(newest)
                ? newest
                : udebs.FindAll(name).Where(IsUsable).MaxBy(udeb => udeb.Version);
            if (real is not null)
            {
                return real;
            }

            // Of several providers: one that is wanted anyway, else the most important, else the first.
            return udebs.Providers(name).Where(IsUsable)
                .OrderBy(udeb => _wanted.Contains(udeb.Name) ? 0 : 1)
                .ThenBy(udeb => Array.IndexOf((string[])["required", "important", "standard", "optional"], udeb.Priority) is >= 0 and int rank ? rank : 4)
                .FirstOrDefault();
        }

        private bool IsUsable(PackageEntry udeb) => Fits(udeb, kernelVersion, subarchitecture);

        private VirtigoException Missing(string name, PackageEntry? neededBy)
        {
            string need = neededBy is null ? "" : $", which {neededBy.Name} {neededBy.Version} needs";
            string[] kernels = [.. udebs.FindAll(name).Concat(udebs.Providers(name)).Select(udeb => udeb.KernelVersion).OfType<string>().Distinct()];
            if (kernels.Length > 0)
            {
                return new VirtigoException(FailureKind.Archive,
                    $"The installer's kernel is {kernelVersion}, but the archive has the component \"{name}\"{need} only for {string.Join(", ", kernels)}.",
                    "The mirror holds an installer and modules of different days: use another mirror, or try again when the archive is consistent.");
            }

            string[] near = [.. udebs.Near(name)];
            return new VirtigoException(FailureKind.Archive, $"The archive has no installer component \"{Text.Shorten(name)}\"{need}.",
                near.Length > 0 ? $"Did you mean {string.Join(", ", near)}?" : null);
        }
    }
}
