using Virtigo.Testing;

namespace Virtigo.Cli.Output;

/// <summary>Shows tests while they run. Events may come from any thread.</summary>
internal interface ITestDisplay : IProgress<TestEvent>, IAsyncDisposable
{
    /// <summary>The display that fits whoever listens.</summary>
    /// <param name="host">The streams.</param>
    /// <param name="mode">How is told.</param>
    /// <param name="hypervisor">What runs the tests, where several hypervisors do; else null.</param>
    static ITestDisplay For(CliHost host, OutputMode mode, string? hypervisor = null) =>
        mode.Json ? new JsonTestDisplay(host.Data, host.Clock, hypervisor)
        : mode.Live ? new LiveTestDisplay(host.People, mode.Colour, host.Clock)
        : new PlainTestDisplay(host.People, mode.Verbose, host.Clock);
}
