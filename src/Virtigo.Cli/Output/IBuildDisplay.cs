using Virtigo.Appliances;

namespace Virtigo.Cli.Output;

/// <summary>Shows a build while it runs. Events may come from any thread.</summary>
internal interface IBuildDisplay : IProgress<BuildEvent>, IAsyncDisposable
{
    /// <summary>The display that fits whoever listens.</summary>
    /// <param name="host">Where it is shown.</param>
    /// <param name="mode">How.</param>
    /// <param name="among">The appliance's name where it is one of several that are built at the same time; else null.</param>
    /// <param name="hypervisor">The hypervisor that it is for where there are several, one after the other; else null.</param>
    static IBuildDisplay For(CliHost host, OutputMode mode, string? among = null, string? hypervisor = null) =>
        mode.Json ? new JsonBuildDisplay(host.Data, host.Clock) { Appliance = among, Hypervisor = hypervisor }
        : mode.Live && among is null ? new LiveBuildDisplay(host.People, mode.Colour, host.Clock)
        : new PlainBuildDisplay(host.People, host.Clock, among);
}
