using Virtigo.Hypervisors;

namespace Virtigo.Tests.Hypervisors;

/// <summary>Starts one guest, whatever it is asked for.</summary>
internal sealed class OneGuest(IGuest guest) : IHypervisor
{
    public string Name => "one";

    public HypervisorCapabilities Capabilities { get; } = new() { MaxSerials = 0 };

    public Task<string> VersionAsync(CancellationToken cancellationToken) => Task.FromResult("1");

    public Task<HypervisorPresence> LookAsync(CancellationToken cancellationToken) => Task.FromResult(new HypervisorPresence("1", null, null));

    public Task<AcceleratorReport> ProbeAsync(string kernelPath, CancellationToken cancellationToken) => throw new NotSupportedException();

    public AcceleratorReport? Remembered() => null;

    public string? OwnKernel => null;

    public Task<IGuest> StartAsync(GuestConfig config, CancellationToken cancellationToken) => Task.FromResult(guest);
}
