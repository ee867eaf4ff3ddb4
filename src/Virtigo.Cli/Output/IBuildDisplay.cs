using Virtigo.Appliances;

namespace Virtigo.Cli.Output;

/// <summary>Shows a build while it runs. Events may come from any thread.</summary>
internal interface IBuildDisplay : IProgress<BuildEvent>, IAsyncDisposable
{
    /// <summary>The display that fits whoever listens.</summary>
    static IBuildDisplay For(CliHost host, OutputMode mode) =>
        mode.Json ? new JsonBuildDisplay(host.Data, host.Clock)
        : mode.Live ? new LiveBuildDisplay(host.People, mode.Colour, host.Clock)
        : new PlainBuildDisplay(host.People, host.Clock);
}
