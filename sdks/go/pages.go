package gomsg

import "iter"

// page is what one call of a paged method gave.
type page[T any] struct {
	items []T
	// Empty where this was the last.
	cursor []byte
}

// iteratePages yields the elements of all pages one by one, and fetches a page when the one before it is through.
func iteratePages[T any](fetch func(cursor []byte) (page[T], error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var cursor []byte
		for {
			page, err := fetch(cursor)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, item := range page.items {
				if !yield(item, nil) {
					return
				}
			}
			if cursor = page.cursor; len(cursor) == 0 {
				return
			}
		}
	}
}

// pageElements is how many elements a page is asked for, where the request can say it.
const pageElements = 1_000

// collectPages returns the elements of all pages; RESULT_TOO_LARGE when they are more than the client collects.
func collectPages[T any](c *Client, method string, fetch func(cursor []byte) (page[T], error)) ([]T, error) {
	collected := []T{}
	var cursor []byte
	for {
		page, err := fetch(cursor)
		if err != nil {
			return nil, err
		}
		if len(collected)+len(page.items) > c.options.MaxCollected {
			return nil, failure(ReasonResultTooLarge, method, "there are more than %d elements", c.options.MaxCollected)
		}
		collected = append(collected, page.items...)
		if cursor = page.cursor; len(cursor) == 0 {
			return collected, nil
		}
	}
}
