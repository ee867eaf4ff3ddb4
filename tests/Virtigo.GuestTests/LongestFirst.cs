using Virtigo.GuestTests;
using Virtigo.GuestTests.Xen;
using Xunit;
using Xunit.Sdk;
using Xunit.v3;

[assembly: TestCollectionOrderer(typeof(LongestFirst))]

namespace Virtigo.GuestTests;

/// <summary>Begins with the classes whose tests take longest: what is left for the end runs alone, and the other cores have nothing to do.</summary>
public sealed class LongestFirst : ITestCollectionOrderer
{
    private static readonly string[] s_longest = [nameof(XenBedTests), nameof(LayerTests), nameof(SavedInstallTests), nameof(ReadmeTests)];

    /// <inheritdoc/>
    public IReadOnlyCollection<TTestCollection> OrderTestCollections<TTestCollection>(IReadOnlyCollection<TTestCollection> testCollections)
        where TTestCollection : ITestCollection =>
        [.. testCollections.OrderBy(collection => Rank(collection.TestCollectionDisplayName))];

    private static int Rank(string collection) =>
        Array.FindIndex(s_longest, name => collection.Contains(name, StringComparison.Ordinal)) is >= 0 and var rank ? rank : s_longest.Length;
}
