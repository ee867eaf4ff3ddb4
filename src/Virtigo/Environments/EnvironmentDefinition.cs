using Virtigo.Appliances;
using Virtigo.Archives;
using Virtigo.Host;
using Virtigo.Hypervisors;
using Virtigo.Networks;

namespace Virtigo.Environments;

/// <summary>Where and how environments are made.</summary>
public sealed record EnvironmentOptions
{
    /// <summary>Virtigo's directories. Default: this user's.</summary>
    public HostPaths Paths { get; init; } = HostPaths.FromEnvironment();

    /// <summary>Make no request to a network; what is not in the cache is an error. Default: false.</summary>
    public bool Offline { get; init; }

    /// <summary>Accept archives whose Release file expired. Default: false.</summary>
    public bool AllowExpired { get; init; }

    /// <summary>The accelerator to use. Default: the best that was proven here.</summary>
    public Accelerator Accelerator { get; init; }

    /// <summary>
    /// The name of the hypervisor that runs the machines, or <see cref="HypervisorChoice.Auto"/>. Default: what the file says, else one that saves and forks
    /// running machines. In another, each fork boots its machines anew and does the <c>ready</c> steps again.
    /// </summary>
    public string? Hypervisor { get; init; }

    /// <summary>Whether what runs may do what its user may, so that <see cref="HypervisorChoice.Auto"/> may take a hypervisor without isolation. Default: false.</summary>
    public bool Trusted { get; init; }

    /// <summary>What tests ask of the hypervisor.</summary>
    internal IReadOnlyList<HypervisorDemand> Demands { get; init; } = [];

    /// <summary>The clock. Default: the system's.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <summary>How archives are used.</summary>
    internal ArchiveOptions Archives => new() { Offline = Offline, AllowExpired = AllowExpired, Clock = Clock };

    /// <summary>The command that repeats what is done, quoted for a shell, for reports of failures.</summary>
    public string RerunCommand { get; init; } = "virtigo up";
}

/// <summary>An environment that a file describes; nothing of it runs.</summary>
public sealed class EnvironmentDefinition
{
    private readonly string _path;

    internal EnvironmentDefinition(string path) => _path = path;

    /// <summary>
    /// Makes the environment ready, once: builds the images that are missing, boots all machines, does the <c>ready</c> steps, and saves it.
    /// The next call with the same file finds it saved and boots nothing. On a hypervisor that cannot save running machines, it only builds what is missing.
    /// </summary>
    /// <param name="options">Where and how; null for the defaults.</param>
    /// <param name="progress">Told of everything that happens, from any thread; null for nobody.</param>
    /// <param name="cancellationToken">Ends it; nothing half-made remains.</param>
    /// <returns>The ready environment, to be forked.</returns>
    /// <exception cref="VirtigoException">The file is wrong, an image cannot be built, a machine does not come up, a step fails, the host lacks something.</exception>
    public async Task<EnvironmentSnapshot> PrepareAsync(
        EnvironmentOptions? options = null, IProgress<BuildEvent>? progress = null, CancellationToken cancellationToken = default) =>
        await MakeReadyAsync(await EnvironmentReader.LoadAsync(_path, cancellationToken), options ?? new EnvironmentOptions(), new OutwardWays(), progress, cancellationToken);

    /// <summary>Starts the environment: a fork of the one that <see cref="PrepareAsync"/> makes ready.</summary>
    /// <param name="cancellationToken">Ends it; nothing remains.</param>
    /// <returns>The running environment; disposing it destroys it.</returns>
    /// <inheritdoc cref="PrepareAsync" path="/exception"/>
    public async Task<VirtualEnvironment> StartAsync(CancellationToken cancellationToken = default)
    {
        using EnvironmentSnapshot ready = await PrepareAsync(cancellationToken: cancellationToken);
        return await ready.ForkAsync(cancellationToken);
    }

    /// <summary>What an environment asks of the hypervisor, as far as its file says.</summary>
    internal static IEnumerable<HypervisorDemand> DemandsOf(EnvironmentSpec spec) => [.. spec.Demands, .. HypervisorDemand.OfSteps(spec.Ready)];

    /// <summary>Makes an environment ready that was read already.</summary>
    /// <param name="spec">The environment.</param>
    /// <param name="options">Where and how.</param>
    /// <param name="outward">How the hosts that machines may reach are found and reached from here.</param>
    /// <param name="progress">Told of everything that happens.</param>
    /// <param name="cancellationToken">Ends it.</param>
    internal static async Task<EnvironmentSnapshot> MakeReadyAsync(
        EnvironmentSpec spec, EnvironmentOptions options, OutwardWays outward, IProgress<BuildEvent>? progress, CancellationToken cancellationToken)
    {
        EnvironmentChoice choice = await EnvironmentChoice.MakeAsync(
            HypervisorCatalog.All(options.Paths), options.Hypervisor, options.Trusted, spec, [.. DemandsOf(spec), .. options.Demands], cancellationToken);
        if (choice.Note is { } note)
        {
            progress?.Report(new BuildNote(note));
        }

        IHypervisor hypervisor = choice.Hypervisor;
        EnvironmentPlan plan = await new EnvironmentPlanner(hypervisor, options, progress).PlanAsync(spec, cancellationToken);

        // What is saved must fit the plan, which was made by what was known; where nothing is, it is found out.
        AcceleratorReport? known = hypervisor.Capabilities.Fork ? hypervisor.Remembered()
            : await ImageKernel.MeasureAsync(options.Paths, plan.Machines[0].Image, hypervisor, cancellationToken);
        var host = new EnvironmentHost(options.Paths, hypervisor, options.Clock)
        {
            Budget = await GuestMemory.BudgetAsync(hypervisor, options.Paths, options.Clock, cancellationToken),
            Accelerator = EnvironmentPlanner.Chosen(options, known),
            Archives = options.Archives,
            Outward = outward,
            Speed = known?.Limits ?? HostSpeed.OfReference,
        };
        return await new EnvironmentPreparation(host, plan, new PreparationLog(options.Clock, progress)).RunAsync(cancellationToken);
    }
}
