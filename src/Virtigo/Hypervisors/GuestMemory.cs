using Virtigo.Host;

namespace Virtigo.Hypervisors;

/// <summary>The memory that guests are given.</summary>
internal static class GuestMemory
{
    /// <summary>The budget that a hypervisor's guests share.</summary>
    /// <param name="hypervisor">The hypervisor.</param>
    /// <param name="paths">Where reservations are noted.</param>
    /// <param name="clock">For waits.</param>
    /// <param name="cancellationToken">Ends the look.</param>
    public static async Task<HostBudget> BudgetAsync(IHypervisor hypervisor, HostPaths paths, TimeProvider clock, CancellationToken cancellationToken) =>
        await hypervisor.GuestMemoryMiBAsync(cancellationToken) is { } mib ? new HostBudget(paths, clock, hypervisor.Name, mib) : new HostBudget(paths, clock);
}
