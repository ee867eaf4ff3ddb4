using Virtigo.Hypervisors;

namespace Virtigo.Machines;

/// <summary>
/// A boot that may be emulated. QEMU's emulation makes one in some hundred boots crash that are good: there, a crash counts when it happens again.
/// </summary>
internal static class EmulatedBoot
{
    /// <summary>Boots a system; once more, when it crashed and the emulator may be the cause.</summary>
    /// <param name="accelerator">How its code runs.</param>
    /// <param name="boot">Boots it, from its beginning.</param>
    /// <param name="crashed">Told of the crash that does not count; puts everything where <paramref name="boot"/> begins.</param>
    /// <exception cref="VirtigoException">It does not come up.</exception>
    public static async Task RunAsync(Accelerator accelerator, Func<Task> boot, Func<VirtigoException, Task> crashed)
    {
        try
        {
            await boot();
        }
        catch (VirtigoException crash) when (crash.GuestCrashed && accelerator == Accelerator.Tcg)
        {
            await crashed(crash);
            await boot();
        }
    }
}
