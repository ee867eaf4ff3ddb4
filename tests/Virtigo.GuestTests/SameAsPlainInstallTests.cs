using Virtigo.Images;
using Xunit;

namespace Virtigo.GuestTests;

/// <summary>The faster install leads to the same system as the plain installer with the same choices.</summary>
[Trait(Tiers.Name, Tiers.Thorough)]
public sealed class SameAsPlainInstallTests(Lab lab)
{
    [Fact]
    public async Task The_installed_system_is_the_same()
    {
        Task<Dictionary<string, string>> plain = SystemViews.LookAsync(lab, await lab.PlainDisk);
        StoredImage image = await lab.Golden;

        SystemViews.AssertSame(await plain, await SystemViews.LookAsync(lab, image.DiskPath));
    }
}
