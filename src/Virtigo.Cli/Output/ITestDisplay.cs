using Virtigo.Testing;

namespace Virtigo.Cli.Output;

/// <summary>Shows tests while they run. Events may come from any thread.</summary>
internal interface ITestDisplay : IProgress<TestEvent>, IAsyncDisposable
{
    /// <summary>The display that fits whoever listens.</summary>
    static ITestDisplay For(CliHost host, OutputMode mode) =>
        mode.Json ? new JsonTestDisplay(host.Data, host.Clock)
        : mode.Live ? new LiveTestDisplay(host.People, mode.Colour, host.Clock)
        : new PlainTestDisplay(host.People, mode.Verbose, host.Clock);
}
